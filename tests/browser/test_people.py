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


def names_on(page: Page) -> list[str]:
    return sorted(set(page.locator("[data-captions] [data-speaker]").all_inner_texts()))


def portuguese_on(page: Page) -> Locator:
    return page.locator("[data-captions] .final[lang=pt]")


def in_portuguese(page: Page) -> list[str]:
    """Captions that are read in Portuguese."""
    return portuguese_on(page).all_inner_texts()


@pytest.mark.timeout(300)
def test_a_reader_sees_who_said_what_in_portuguese(
    parlance: RunningParlance, host: Page, viewer_context: BrowserContext
) -> None:
    link = create_meeting(host, parlance)
    viewer = viewer_context.new_page()
    viewer.goto(link)
    host.get_by_label("Room or mixer").check()
    start_captions(host)
    viewer.get_by_label("Caption language").select_option("pt")
    expect(portuguese_on(viewer).first).to_be_visible(timeout=120_000)
    expect(viewer.locator("[data-captions] [data-speaker=S2]").first).to_be_visible(timeout=120_000)

    name = host.get_by_label("Name of Speaker 1")
    name.fill("Ana")
    name.press("Enter")
    expect(viewer.locator("[data-captions] [data-speaker=S1]").first).to_have_text("Ana")
    expect(host.locator("[data-captions] [data-speaker=S1]").first).to_have_text("Ana")
    assert names_on(viewer) == ["Ana", "Speaker 2"]

    wait_until_captured(host, CAPTURED_S)
    end_meeting(host)
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    translated = in_portuguese(viewer)
    captions = host.locator("[data-captions] .final").count()
    assert len(translated) == captions, "every caption is read in Portuguese"

    viewer.reload()
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    expect(portuguese_on(viewer)).to_have_count(captions)
    assert (names_on(viewer), in_portuguese(viewer)) == (["Ana", "Speaker 2"], translated)

    with urllib.request.urlopen(re.sub(r"/\?", "/transcript.vtt?lang=pt&", link)) as answer:  # noqa: S310
        cues = list(webvtt.from_string(answer.read().decode()))
    assert {cue.voice for cue in cues} == {"Ana", "Speaker 2"}
    assert [cue.text for cue in cues] == translated
