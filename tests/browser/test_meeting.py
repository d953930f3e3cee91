"""A whole meeting through the front door, with a real browser, microphone path, processes and models.

The host loses the network, two people speak, one reads in Portuguese, and a summary is written in mid speech. It is one
meeting, for each would take a minute of real time.
"""

from __future__ import annotations

import asyncio
import html
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
import webvtt
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize, expect

from tests.browser.steps import (
    DESKTOP,
    create_meeting,
    end_meeting,
    first_line,
    place_of,
    start_captions,
    unfold,
    wait_until_captured,
)
from tests.conftest import REPOSITORY
from tests.hearing import MOST_ERRORS, word_error_rate
from tests.live import Host, RunningParlance, frames_of

CLIPS = [REPOSITORY / "tests" / "speech" / name for name in ("lobster_41s.flac", "lobster_24s.flac")]
MICROPHONE = Path(tempfile.mkdtemp(prefix="parlance-microphone-")) / "clip.wav"
SPEECH_S, CAPTURED_S = 62, 68
"""The clips, and the silence after them."""

OFFLINE_AFTER_S, OFFLINE_S = 8, 8

PHONE: ViewportSize = {"width": 390, "height": 340}
"""Some captions are more than it shows."""

REFERENCE_SPEED = 3.0
PATIENCE_MS = 300_000
"""The first summary reads a gigabyte of weights, beside the captions: on a machine with other work, for minutes."""

UNSURE = "Unknown speaker"
"""On lines too short to tell, and where a busy machine had no time to listen."""

CAN_SCROLL = """() => {
    const { scrollHeight, clientHeight } = document.querySelector("[data-transcript]");
    return scrollHeight > clientHeight + 250;
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
NAMES = """(expected) => {
    const found = [...document.querySelectorAll("[data-captions] [data-speaker]")].map((element) => element.innerText);
    return [...new Set(found)].sort().join() === expected.join();
}"""

Word = tuple[str, float, float]


@pytest.fixture(scope="module", autouse=True)
def microphone() -> None:
    """What Chromium's fake microphone hears: the clips, then silence."""
    sounds = [soundfile.read(clip, dtype="int16") for clip in CLIPS]
    soundfile.write(MICROPHONE, np.concatenate([samples for samples, _ in sounds]), sounds[0][1])


@pytest.fixture
def host_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
    yield context
    context.close()


@pytest.fixture
def viewer(browser: Browser) -> Iterator[Page]:
    """Reads what was said."""
    context = browser.new_context(viewport=PHONE)
    yield context.new_page()
    context.close()


@pytest.fixture
def translated_viewer(browser: Browser) -> Iterator[Page]:
    """Reads Portuguese."""
    context = browser.new_context(viewport=DESKTOP)
    yield context.new_page()
    context.close()


def errors_of(page: Page) -> list[str]:
    """Collects what goes wrong in a page; a refused script or style counts."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return errors


def finals_of(page: Page) -> str:
    """What stands on the page, without partials."""
    return " ".join(page.locator("[data-captions] .final").all_inner_texts())


def portuguese_on(page: Page) -> Locator:
    return page.locator("[data-captions] .final[lang=pt]")


def wait_for_names(page: Page, names: set[str]) -> None:
    """Until these and no others stand on the lines."""
    page.wait_for_function(NAMES, arg=sorted(names), timeout=PATIENCE_MS)


def fetch(link: str, name: str) -> str:
    """A file of the meeting's transcript."""
    with urllib.request.urlopen(re.sub(r"/\?", f"/{name}", link)) as answer:  # noqa: S310
        return str(answer.read().decode())


def words_of(link: str) -> list[Word]:
    """Every word of a meeting with its times, whoever is thought to have said it."""
    captions: list[dict[str, Any]] = json.loads(fetch(link, "transcript.json?"))["captions"]
    assert captions, "something was said"
    return [(word["text"], word["start"], word["end"]) for caption in captions for word in caption["words"]]


def meeting_of(link: str) -> str:
    found = re.search(r"/m/([^/]+)/", link)
    assert found is not None
    return found.group(1)


def undisturbed(parlance: RunningParlance, recording: Path) -> list[Word]:
    """The words of a meeting that hears the same samples, is never cut off and never summed up."""
    samples, _ = soundfile.read(recording, dtype="int16")
    links = parlance.create_meeting("--language", "en")
    playing = Host(links, frames_of(samples.astype("<i2").tobytes()), speed=REFERENCE_SPEED)
    # Playwright's own loop runs in this thread.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, playing.play()).result()
    return words_of(f"{parlance.url}/m/{links.id}/?token={links.join_token}")


@pytest.mark.timeout(900)
def test_people_read_all_that_is_said(
    parlance: RunningParlance, host_context: BrowserContext, viewer: Page, translated_viewer: Page
) -> None:
    host, pages = host_context.new_page(), [viewer, translated_viewer]
    errors = [errors_of(page) for page in (host, *pages)]
    link = create_meeting(host, parlance, keep_recording=True)
    for page in pages:
        page.goto(link)
        expect(page.locator("[data-connection]")).to_have_text("Waiting for the host")
    # As little as possible between the recording and the model.
    host.get_by_label("Whole room or mixer").check()
    for name in ("summary", "ledger"):
        unfold(host, name)
    start_captions(host)
    translated_viewer.get_by_label("Caption language").select_option("pt")

    lose_the_network(host_context, host, viewer)
    sum_up_in_mid_speech(host, viewer)
    go_to_a_cited_line(viewer)
    name_the_first_speaker(host, translated_viewer)

    wait_until_captured(host, CAPTURED_S)
    end_meeting(host)
    for page in pages:
        expect(page.locator("[data-connection]")).to_have_text("Ended")
    assert host.locator("[data-figure=missing]").inner_text() == "0 s"
    assert finals_of(host) == finals_of(viewer)
    said = " ".join(clip.with_suffix(".txt").read_text(encoding="utf-8") for clip in CLIPS)
    assert word_error_rate(said, finals_of(viewer)) <= MOST_ERRORS
    assert_read_in_portuguese(translated_viewer, link)
    recording = parlance.data / "recordings" / f"{meeting_of(link)}.flac"
    assert words_of(link) == undisturbed(parlance, recording)
    assert errors == [[], [], []]


def lose_the_network(host_context: BrowserContext, host: Page, viewer: Page) -> None:
    wait_until_captured(host, OFFLINE_AFTER_S)
    expect(viewer.locator("[data-captions] .final").first).to_be_visible(timeout=PATIENCE_MS)
    host_context.set_offline(True)
    expect(host.locator("[data-connection]")).to_have_text("Connection lost, trying again…")
    wait_until_captured(host, OFFLINE_AFTER_S + OFFLINE_S)
    expect(host.locator("[data-unsaved]")).to_contain_text("kept in this page")
    host_context.set_offline(False)
    expect(host.locator("[data-connection]")).to_have_text(re.compile("Live|Catching up"), timeout=30_000)


def sum_up_in_mid_speech(host: Page, viewer: Page) -> None:
    """It is announced and read, and a reader who has scrolled up stays where they are."""
    segment, place = read_further_up(viewer)
    for page in (host, viewer):
        expect(page.locator("[data-connection]")).to_have_text("Live", timeout=PATIENCE_MS)
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


def read_further_up(viewer: Page) -> tuple[str, float]:
    """Scrolls up as a reader does, not to the top: there is no room above; where the first line stands then."""
    viewer.wait_for_function(CAN_SCROLL, timeout=PATIENCE_MS)
    viewer.locator("[data-transcript]").hover()
    viewer.mouse.wheel(0, -100)
    expect(viewer.locator("[data-to-live]")).to_be_visible()
    return first_line(viewer)


def ask_in_mid_speech(host: Page) -> None:
    host.get_by_role("button", name="Summarise now").click()
    minutes, seconds = host.locator("[data-figure=captured]").inner_text().split(":")
    assert int(minutes) * 60 + int(seconds) < SPEECH_S, "the clips are not over"


def wait_until_told(page: Page, state: str) -> None:
    """Whether it still stands there or not."""
    page.wait_for_function("(state) => window.states.includes(state)", arg=state, timeout=PATIENCE_MS)


def go_to_a_cited_line(viewer: Page) -> None:
    viewer.get_by_role("button", name="Summary").click()
    viewer.locator("[data-summary-items] .cited-item").first.click()
    cited = viewer.locator("[data-captions] [data-cited]").first
    expect(cited).to_be_focused()
    expect(cited).to_be_in_viewport()


def name_the_first_speaker(host: Page, translated_viewer: Page) -> None:
    expect(portuguese_on(translated_viewer).first).to_be_visible(timeout=PATIENCE_MS)
    expect(translated_viewer.locator("[data-captions] [data-speaker=S2]").first).to_be_visible(timeout=PATIENCE_MS)
    name = host.get_by_label("Name of Speaker 1")
    name.fill("Ana")
    name.press("Enter")
    for page in (host, translated_viewer):
        expect(page.locator("[data-captions] [data-speaker=S1]").first).to_have_text("Ana")


def assert_read_in_portuguese(translated_viewer: Page, link: str) -> None:
    """On the page, in files and after a reload: the same lines of the same two people.

    In the WebVTT file, all words are Portuguese; on the page, ours are in the reader's language.
    """
    cues = list(webvtt.from_string(fetch(link, "transcript.vtt?lang=pt&")))
    captions = json.loads(fetch(link, "transcript.json?"))["captions"]
    lines = [caption["translations"].get("pt", caption["text"]) for caption in captions]
    assert sorted(html.unescape(" ".join(cue.text for cue in cues)).split()) == sorted(" ".join(lines).split())
    english = {"Pessoa desconhecida": UNSURE} | {f"Pessoa {number}": f"Speaker {number}" for number in range(1, 5)}
    speakers = [english.get(cue.voice, cue.voice) for cue in cues]
    voices = set(speakers)
    named = voices - {UNSURE, "Ana"}
    assert "Ana" in voices
    assert len(named) == 1, "as many voices as spoke; the number of the second depends on what was heard first"
    assert named.pop().startswith("Speaker ")
    assert speakers.count(UNSURE) <= len(cues) / 4
    for _ in range(2):
        expect(portuguese_on(translated_viewer)).to_have_text(lines)
        wait_for_names(translated_viewer, voices)
        translated_viewer.reload()
        expect(translated_viewer.locator("[data-connection]")).to_have_text("Ended")
