"""Takes the README's pictures: `PARLANCE_SCREENSHOTS=1 .venv/bin/python -m pytest tests/browser/test_pictures.py`."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import create_meeting, end_meeting, start_captions, wait_until_captured
from tests.conftest import REPOSITORY
from tests.live import RunningParlance

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
IMAGES = REPOSITORY / "docs" / "images"
MICROPHONE = Path(tempfile.mkdtemp(prefix="parlance-microphone-")) / "clip.wav"
SPEECH_S = 60
PAUSE_S = 2
AFTER_S = 38
DARK_LAST: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", ""), ("dark", "-dark"))

pytestmark = pytest.mark.skipif(os.environ.get("PARLANCE_SCREENSHOTS") != "1", reason="writes into docs/images")


@pytest.fixture(scope="module", autouse=True)
def microphone() -> None:
    """The clip again and again: a picture of a meeting shows somebody speaking."""
    samples, rate = soundfile.read(CLIP, dtype="int16")
    soundfile.write(MICROPHONE, np.resize(np.pad(samples, (0, PAUSE_S * rate)), SPEECH_S * rate), rate)


def page_of(browser: Browser, *, width: int, height: int) -> Page:
    return browser.new_context(viewport={"width": width, "height": height}).new_page()


def take(page: Page, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    for scheme, ending in DARK_LAST:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=IMAGES / f"{name}{ending}.png", animations="disabled")


@pytest.mark.timeout(400)
def test_takes_the_pictures(parlance: RunningParlance, browser: Browser) -> None:
    host = page_of(browser, width=1280, height=720)
    viewer = page_of(browser, width=390, height=720)
    viewer.goto(create_meeting(host, parlance))
    start_captions(host)
    viewer.get_by_label("Caption language").select_option("pt")
    for number, name in enumerate(("Ana", "Rui"), start=1):
        field = host.get_by_label(f"Name of Speaker {number}")
        expect(field).to_be_visible(timeout=60_000)
        field.fill(name)
        field.press("Enter")
    wait_until_captured(host, AFTER_S)
    expect(host.locator("[data-figure=behind]")).to_have_text(re.compile("^[0-6] s$"), timeout=60_000)
    expect(viewer.locator("[data-captions] .partial")).to_be_visible(timeout=60_000)
    take(host, "host")
    take(viewer, "viewer")
    end_meeting(host)
    host.get_by_role("link", name="Open transcript").click()
    expect(host.locator(".transcript-lines")).to_be_visible()
    take(host, "transcript")
