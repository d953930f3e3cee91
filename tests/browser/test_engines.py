"""One meeting in Firefox and in WebKitGTK: speech through the microphone, captions, and a link that stands still."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.engines import driven, missing, running_sound
from tests.conftest import REPOSITORY
from tests.live import RunningParlance
from tests.relay import Relay

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

    def text(self, selector: str) -> str:
        self._driver.switch_to.window(self._handle)
        return " ".join(element.text for element in self._driver.find_elements(By.CSS_SELECTOR, selector))

    def press(self, selector: str) -> None:
        self._driver.switch_to.window(self._handle)
        button = self._driver.find_element(By.CSS_SELECTOR, selector)
        WebDriverWait(self._driver, SOON_S).until(lambda _: button.is_displayed() and button.is_enabled())
        button.click()

    def shows(self, selector: str, words: str, *, within_s: float = SOON_S) -> None:
        try:
            WebDriverWait(self._driver, within_s).until(lambda _: words in self.text(selector))
        except TimeoutException:
            pytest.fail(f"{selector} never showed {words!r}, at last {self.text(selector)!r}")


@pytest.fixture(params=["firefox", "webkit"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if absent := missing(name):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{absent}: not installed")
    return name


@pytest.fixture
def relay(parlance: RunningParlance) -> Iterator[Relay]:
    with Relay(parlance.port) as relay:
        yield relay


def test_people_speak_and_read_in_every_engine(engine: str, parlance: RunningParlance, relay: Relay) -> None:
    links = parlance.create_meeting("--language", "en")
    with running_sound() as sound, driven(engine, sound) as driver:
        viewer = Window(driver, f"http://127.0.0.1:{relay.port}/m/{links.id}/?token={links.join_token}")
        viewer.shows("[data-connection]", "Waiting for the host")
        host = Window(driver, f"{parlance.url}/host/{links.id}/?token={links.host_token}")
        host.shows("[data-connection]", "Ready to start")
        host.press("[data-fold=ledger] > summary")
        host.press("[data-start]")
        host.press("[data-consent-yes]")
        host.shows("[data-pause]", "Pause")
        playing = sound.play(CLIP)
        viewer.shows("[data-captions] .final", "lobster", within_s=SPEECH_S)
        relay.stand_still()
        viewer.shows("[data-connection]", "Connection lost, trying again", within_s=SOON_S)
        relay.go_on()
        viewer.shows("[data-connection]", "Live", within_s=SPEECH_S)
        assert playing.wait(SPEECH_S) == 0
        assert float(host.text("[data-figure=missing]").removesuffix(" s")) <= MOST_STARVED_S
        host.press("[data-pause]")
        viewer.shows("[data-notice]", "paused")
        host.press("[data-end]")
        host.press("[data-end-yes]")
        viewer.shows("[data-connection]", "Ended", within_s=SPEECH_S)
