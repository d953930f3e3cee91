"""Two people speak into a real microphone path; somebody reads who said what in Portuguese, with the real models."""

from __future__ import annotations

import re
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import webvtt
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.steps import DESKTOP, create_meeting, end_meeting, start_captions, wait_until_captured
from tests.conftest import REPOSITORY
from tests.live import RunningParlance

CLIP = REPOSITORY / "tests" / "speech" / "lobster_41s.flac"
MICROPHONE = Path(tempfile.mkdtemp(prefix="parlance-microphone-")) / "clip.wav"
PATIENCE_MS = 120_000
UNSURE = "Speaker ?"
"""On lines too short to tell, and where a busy machine had no time to listen."""

CAPTURED_S = 44
"""The clip, and the silence after it."""


@pytest.fixture(scope="module", autouse=True)
def microphone() -> None:
    """What Chromium's fake microphone hears: the clip, then silence."""
    samples, rate = soundfile.read(CLIP, dtype="int16")
    soundfile.write(MICROPHONE, samples, rate)


@pytest.fixture
def host(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
    yield context.new_page()
    context.close()


@pytest.fixture
def viewer_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=DESKTOP)
    yield context
    context.close()


NAMES = """(expected) => {
    const found = [...document.querySelectorAll("[data-captions] [data-speaker]")].map((element) => element.innerText);
    return [...new Set(found)].sort().join() === expected.join();
}"""


def wait_for_names(page: Page, names: set[str]) -> None:
    """Until these and no others stand on the lines."""
    page.wait_for_function(NAMES, arg=sorted(names), timeout=PATIENCE_MS)


def portuguese_on(page: Page) -> Locator:
    return page.locator("[data-captions] .final[lang=pt]")


def read_cues(link: str) -> list[webvtt.Caption]:
    """The transcript in Portuguese, as a file."""
    with urllib.request.urlopen(re.sub(r"/\?", "/transcript.vtt?lang=pt&", link)) as answer:  # noqa: S310
        return list(webvtt.from_string(answer.read().decode()))


@pytest.mark.timeout(600)
def test_a_reader_sees_who_said_what_in_portuguese(
    parlance: RunningParlance, host: Page, viewer_context: BrowserContext
) -> None:
    link = create_meeting(host, parlance)
    viewer = viewer_context.new_page()
    viewer.goto(link)
    host.get_by_label("Room or mixer").check()
    start_captions(host)
    viewer.get_by_label("Caption language").select_option("pt")
    expect(portuguese_on(viewer).first).to_be_visible(timeout=PATIENCE_MS)
    expect(viewer.locator("[data-captions] [data-speaker=S2]").first).to_be_visible(timeout=PATIENCE_MS)

    name = host.get_by_label("Name of Speaker 1")
    name.fill("Ana")
    name.press("Enter")
    expect(viewer.locator("[data-captions] [data-speaker=S1]").first).to_have_text("Ana")
    expect(host.locator("[data-captions] [data-speaker=S1]").first).to_have_text("Ana")

    wait_until_captured(host, CAPTURED_S)
    end_meeting(host)
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    cues = read_cues(link)
    voices = {cue.voice for cue in cues}
    named = voices - {UNSURE, "Ana"}
    assert "Ana" in voices
    assert len(named) == 1, "as many voices as spoke; the number of the second depends on what was heard first"
    assert named.pop().startswith("Speaker ")
    assert sum(cue.voice == UNSURE for cue in cues) <= len(cues) / 4
    translated = [cue.text for cue in cues]
    expect(host.locator("[data-captions] .final")).to_have_count(len(translated))
    expect(portuguese_on(viewer)).to_have_text(translated)
    wait_for_names(viewer, voices)

    viewer.reload()
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    expect(portuguese_on(viewer)).to_have_text(translated)
    wait_for_names(viewer, voices)
