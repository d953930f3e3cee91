"""A whole meeting through the front door: real browser, real microphone path, real processes, real model."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.steps import DESKTOP, create_meeting, end_meeting, start_captions, wait_until_captured
from tests.conftest import REPOSITORY
from tests.hearing import word_error_rate
from tests.live import RunningParlance

CLIP = REPOSITORY / "tests" / "speech" / "lobster_41s.flac"
MICROPHONE = Path(tempfile.mkdtemp(prefix="parlance-microphone-")) / "clip.wav"
OFFLINE_AFTER_S, OFFLINE_S = 8, 8
MOST_EXTRA_ERRORS = 0.15
"""Word errors to words, beyond those of the batch transcript: the microphone's path rounds, and so does each processor.
What is said while the host is offline is a fifth of the words."""
CAPTURED_S = 45
"""The clip, and the silence after it."""


@pytest.fixture(scope="module", autouse=True)
def microphone() -> None:
    """What Chromium's fake microphone hears: the clip, then silence."""
    samples, rate = soundfile.read(CLIP, dtype="int16")
    soundfile.write(MICROPHONE, samples, rate)


@pytest.fixture
def host_context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
    yield context
    context.close()


@pytest.fixture
def viewer(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP)
    yield context.new_page()
    context.close()


def read_text(page: Page) -> str:
    """Finals only, as they stand on the page."""
    return " ".join(page.locator("[data-captions] .final").all_inner_texts())


def errors_of(page: Page) -> list[str]:
    """Collects what goes wrong in a page; a refused script or style counts."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return errors


@pytest.mark.timeout(240)
def test_people_read_what_is_said_though_the_host_goes_offline(
    parlance: RunningParlance, host_context: BrowserContext, viewer: Page, speech: Path
) -> None:
    host = host_context.new_page()
    host_errors, viewer_errors = errors_of(host), errors_of(viewer)
    viewer.goto(create_meeting(host, parlance))
    expect(viewer.locator("[data-connection]")).to_have_text("Waiting for the host")
    # As little as possible between the recording and the model, as in the batch transcript it is compared with.
    host.get_by_label("Room or mixer").check()
    start_captions(host)

    wait_until_captured(host, OFFLINE_AFTER_S)
    expect(viewer.locator("[data-captions] .final").first).to_be_visible(timeout=30_000)
    host_context.set_offline(True)
    expect(host.locator("[data-connection]")).to_have_text("Connection lost, trying again…")
    wait_until_captured(host, OFFLINE_AFTER_S + OFFLINE_S)
    expect(host.locator("[data-unsaved]")).to_contain_text("kept in this page")
    host_context.set_offline(False)

    wait_until_captured(host, 21)
    expect(host.locator("[data-connection]")).to_have_text(re.compile("Live|Catching up"), timeout=30_000)
    wait_until_captured(host, CAPTURED_S)
    end_meeting(host)

    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    assert host.locator("[data-figure=missing]").inner_text() == "0 s"
    text = read_text(viewer)
    reference = CLIP.with_suffix(".txt").read_text(encoding="utf-8")
    output = parlance.manage("transcribe", str(CLIP), "--language", "en", "--no-speakers", "--format", "json")
    batch = " ".join(caption["text"] for caption in json.loads(output)["captions"])
    assert word_error_rate(reference, text) <= word_error_rate(reference, batch) + MOST_EXTRA_ERRORS
    assert read_text(host) == text

    viewer.reload()
    expect(viewer.locator("[data-connection]")).to_have_text("Meeting ended")
    expect(viewer.locator("[data-captions] .final").last).to_be_visible()
    viewer.wait_for_function(
        "(text) => document.querySelector('[data-captions]').textContent.includes(text)", arg=text.split(". ")[-1]
    )
    assert read_text(viewer) == text
    assert (host_errors, viewer_errors) == ([], [])
