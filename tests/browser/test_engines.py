"""Meetings in Firefox and in WebKitGTK: speech, captions, a link that stands still, and what else is not as usual."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.engines import driven, missing, running_sound
from tests.conftest import REPOSITORY
from tests.live import RunningParlance
from tests.relay import Relay

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver  # see tests.browser.engines

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
SOON_S, SPEECH_S = 30.0, 90.0
MOST_STARVED_S = 3.0
"""Seconds that an engine's sound may starve on a busy machine; the page counts them as missing."""


class Window:
    """One page of the browser; what it shows is waited for."""

    def __init__(self, driver: WebDriver, address: str) -> None:
        driver.switch_to.new_window("window")
        self._driver = driver
        self._handle = driver.current_window_handle
        driver.get(address)

    def reload(self) -> None:
        self._driver.switch_to.window(self._handle)
        self._driver.refresh()

    def close(self) -> None:
        self._driver.switch_to.window(self._handle)
        self._driver.close()

    def text(self, selector: str) -> str:
        self._driver.switch_to.window(self._handle)
        return " ".join(element.text for element in self._driver.find_elements("css selector", selector))

    def press(self, selector: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        self._driver.switch_to.window(self._handle)
        button = self._driver.find_element("css selector", selector)
        WebDriverWait(self._driver, SOON_S).until(lambda _: button.is_displayed() and button.is_enabled())
        button.click()

    def shows(self, selector: str, words: str, *, within_s: float = SOON_S) -> None:
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.wait import WebDriverWait

        try:
            WebDriverWait(self._driver, within_s).until(lambda _: words in self.text(selector))
        except TimeoutException:
            pytest.fail(f"{selector} never showed {words!r}, at last {self.text(selector)!r}")


@pytest.fixture(params=["firefox", "webkit"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    require(name)
    return name


def require(engine: str) -> None:
    if absent := missing(engine):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{absent}: not installed")


def start(host: Window) -> None:
    host.press("[data-start]")
    host.press("[data-consent-yes]")
    host.shows("[data-pause]", "Pause")


@pytest.fixture
def relay(parlance: RunningParlance) -> Iterator[Relay]:
    with Relay(parlance.port) as relay:
        yield relay


@pytest.mark.parametrize("engine", ["firefox", "hardened firefox", "webkit"], indirect=True)
def test_people_speak_and_read_in_every_engine(engine: str, parlance: RunningParlance, relay: Relay) -> None:
    links = parlance.create_meeting("--language", "en")
    with running_sound() as sound, driven(engine, sound) as driver:
        viewer = Window(driver, f"http://127.0.0.1:{relay.port}/m/{links.id}/?token={links.join_token}")
        viewer.shows("[data-connection]", "Waiting for the host")
        host = Window(driver, f"{parlance.url}/host/{links.id}/?token={links.host_token}")
        host.shows("[data-connection]", "Ready to start")
        host.press("[data-fold=ledger] > summary")
        start(host)
        playing = sound.play(CLIP)
        viewer.shows("[data-captions] .final", "lobster", within_s=SPEECH_S)
        relay.stand_still()
        viewer.shows("[data-connection]", "Connection lost, trying again", within_s=SOON_S)
        relay.go_on()
        viewer.shows("[data-connection]", "Live", within_s=SPEECH_S)
        assert playing.wait(SPEECH_S) == 0
        assert float(host.text("[data-figure=missing]").removesuffix(" s")) <= MOST_STARVED_S
        host.press("[data-pause]")
        viewer.shows("[data-notice]", "paused", within_s=SPEECH_S)
        host.press("[data-end]")
        host.press("[data-end-yes]")
        viewer.shows("[data-connection]", "Ended", within_s=SPEECH_S)


def test_pages_say_what_is_not_as_usual_in_every_engine(engine: str, parlance: RunningParlance) -> None:
    """What `test_states` holds of Chromium: a reload, a second host, a host that is gone, and an end."""
    links = parlance.create_meeting("--language", "en")
    address = f"{parlance.url}/host/{links.id}/?token={links.host_token}"
    with running_sound() as sound, driven(engine, sound) as driver:
        viewer = Window(driver, f"{parlance.url}/m/{links.id}/?token={links.join_token}")
        host = Window(driver, address)
        start(host)
        viewer.shows("[data-connection]", "Live", within_s=SPEECH_S)
        host.reload()
        host.shows("[data-alarm]", "Nobody is heard")
        start(host)
        second = Window(driver, address)
        second.shows("[data-elsewhere]", "Another page is hosting this meeting")
        host.close()
        viewer.shows("[data-connection]", "Host not connected")
        second.press("[data-takeover]")
        viewer.shows("[data-connection]", "Live")
        second.press("[data-end]")
        second.press("[data-end-yes]")
        for shown in (lambda: None, second.reload):
            shown()
            second.shows("[data-finished]", "The meeting has ended", within_s=SPEECH_S)
        for shown in (lambda: None, viewer.reload):
            shown()
            viewer.shows("[data-connection]", "Ended")
            viewer.shows("[data-notice]", "The meeting has ended.")


def test_firefox_without_a_sound_output_says_so(parlance: RunningParlance) -> None:
    require("firefox")
    links = parlance.create_meeting("--language", "en")
    with running_sound(has_output=False) as sound, driven("firefox", sound) as driver:
        host = Window(driver, f"{parlance.url}/host/{links.id}/?token={links.host_token}")
        host.press("[data-start]")
        host.press("[data-consent-yes]")
        host.shows("[data-alarm]", "It needs a sound output for that")
        host.shows("[data-start]", "Start captions")
