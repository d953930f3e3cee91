"""A summary in the middle of speech, with the real models: what people see of it, and that no word is lost or moved."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.steps import DESKTOP, create_meeting, end_meeting, start_captions, wait_until_captured
from tests.browser.test_summary import first_line, place_of
from tests.conftest import REPOSITORY
from tests.live import Host, RunningParlance, frames_of

CLIPS = [REPOSITORY / "tests" / "speech" / name for name in ("lobster_41s.flac", "lobster_24s.flac")]
MICROPHONE = Path(tempfile.mkdtemp(prefix="parlance-microphone-")) / "clip.wav"
SPEECH_S, CAPTURED_S = 62, 68
"""The clips, and the silence after them."""

PHONE: ViewportSize = {"width": 390, "height": 340}
"""Some captions are more than it shows."""

REFERENCE_SPEED = 3.0
PATIENCE_MS = 300_000
"""The first summary reads a gigabyte of weights, beside the captions: on a machine with other work, for minutes."""

CAN_SCROLL = """() => {
    const { scrollHeight, clientHeight } = document.querySelector("[data-transcript]");
    return scrollHeight > clientHeight + 150;
}"""
WATCH = """() => {
    const status = document.querySelector("[data-connection]");
    const count = document.querySelector("[data-notice-count]");
    const note = (list, element) => new MutationObserver(() => list.push(element.textContent)).observe(
        element, { childList: true, characterData: true, subtree: true });
    window.states = [];
    window.counts = [];
    note(window.states, status);
    note(window.counts, count);
}"""

Word = tuple[str, float, float]


@pytest.fixture(scope="module", autouse=True)
def microphone() -> None:
    """What Chromium's fake microphone hears: the clips, then silence."""
    sounds = [soundfile.read(clip, dtype="int16") for clip in CLIPS]
    soundfile.write(MICROPHONE, np.concatenate([samples for samples, _ in sounds]), sounds[0][1])


@pytest.fixture
def host(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
    yield context.new_page()
    context.close()


@pytest.fixture
def viewer(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE)
    yield context.new_page()
    context.close()


def words_of(link: str) -> list[Word]:
    """Every word of a meeting with its times, whoever is thought to have said it."""
    with urllib.request.urlopen(re.sub(r"/\?", "/transcript.json?", link)) as answer:  # noqa: S310
        captions: list[dict[str, Any]] = json.load(answer)["captions"]
    assert captions, "something was said"
    return [(word["text"], word["start"], word["end"]) for caption in captions for word in caption["words"]]


def meeting_of(link: str) -> str:
    found = re.search(r"/m/([^/]+)/", link)
    assert found is not None
    return found.group(1)


def undisturbed(parlance: RunningParlance, recording: Path) -> list[Word]:
    """The words of a meeting that hears the same samples and is never summed up."""
    samples, _ = soundfile.read(recording, dtype="int16")
    links = parlance.create_meeting("--language", "en")
    playing = Host(links, frames_of(samples.astype("<i2").tobytes()), speed=REFERENCE_SPEED)
    # Playwright's own loop runs in this thread.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, playing.play()).result()
    return words_of(f"{parlance.url}/m/{links.id}/?token={links.join_token}")


def ask_in_mid_speech(host: Page) -> None:
    host.get_by_role("button", name="Summarise now").click()
    minutes, seconds = host.locator("[data-figure=captured]").inner_text().split(":")
    assert int(minutes) * 60 + int(seconds) < SPEECH_S, "the clips are not over"


def wait_until_told(page: Page, state: str) -> None:
    """Whether it still stands there or not."""
    page.wait_for_function("(state) => window.states.includes(state)", arg=state, timeout=PATIENCE_MS)


def read_further_up(viewer: Page) -> tuple[str, float]:
    """Scrolls up as a reader does; where the first line stands then."""
    viewer.wait_for_function(CAN_SCROLL, timeout=PATIENCE_MS)
    viewer.locator("[data-transcript]").hover()
    viewer.mouse.wheel(0, -500)
    expect(viewer.locator("[data-to-live]")).to_be_visible()
    return first_line(viewer)


@pytest.mark.timeout(900)
def test_a_summary_in_mid_speech_is_announced_read_and_costs_no_word(
    parlance: RunningParlance, host: Page, viewer: Page
) -> None:
    link = create_meeting(host, parlance, keep_recording=True)
    viewer.goto(link)
    host.get_by_label("Room or mixer").check()
    start_captions(host)
    segment, place = read_further_up(viewer)
    for page in (host, viewer):
        page.evaluate(WATCH)
    ask_in_mid_speech(host)
    for page in (host, viewer):
        wait_until_told(page, "Writing a summary")
    expect(host.locator("[data-summary-items] .cited-item").first).to_be_visible(timeout=PATIENCE_MS)
    for page in (host, viewer):
        expect(page.locator("[data-connection]")).to_have_text("Live", timeout=PATIENCE_MS)
        states = page.evaluate("window.states")
        told = states[states.index("Writing a summary") :]
        assert (told[:2], told[-1]) == (["Writing a summary", "Catching up"], "Live"), states
        assert re.search(r"about \d+ s|any moment now", " ".join(page.evaluate("window.counts")))
    assert place_of(viewer, segment) == (segment, pytest.approx(place, abs=1))
    expect(host.locator("[data-summary-last]")).to_have_text(re.compile(r"The last one took \d+\.\d s"))

    viewer.get_by_role("button", name="What did I miss?").click()
    viewer.locator("[data-summary-items] .cited-item").first.click()
    cited = viewer.locator("[data-captions] [data-cited]").first
    expect(cited).to_be_focused()
    expect(cited).to_be_in_viewport()

    wait_until_captured(host, CAPTURED_S)
    end_meeting(host)
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    assert host.locator("[data-figure=missing]").inner_text() == "0 s"
    recording = parlance.data / "recordings" / f"{meeting_of(link)}.flac"
    assert words_of(link) == undisturbed(parlance, recording)
