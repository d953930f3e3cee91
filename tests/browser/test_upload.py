"""Recordings by upload, in a real page of the real product: sent, cut off, gone on with, captioned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Locator, Page, Route, expect

from inference.audio import SAMPLE_RATE, decode_file
from tests.browser.steps import DESKTOP
from tests.conftest import REPOSITORY
from tests.hearing import is_heard
from tests.live import RunningParlance

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
CHUNKS = re.compile(r"/uploads/[0-9a-f]+$")


@pytest.fixture(scope="module")
def signed_in(browser: Browser, parlance: RunningParlance) -> Iterator[str]:
    """The cookies of the host, who signs in once."""
    context = browser.new_context()
    context.new_page().goto(parlance.new_sign_in_link())
    yield context.storage_state()  # type: ignore[misc]
    context.close()


@pytest.fixture
def page(browser: Browser, parlance: RunningParlance, signed_in: str) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, storage_state=signed_in)
    page = context.new_page()
    page.goto(f"{parlance.url}/uploads/")
    yield page
    context.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip as a file of several chunks."""
    path = tmp_path_factory.mktemp("recordings") / "large.wav"
    samples = np.concatenate(list(decode_file(CLIP)))
    soundfile.write(path, np.repeat(samples, 3), 3 * SAMPLE_RATE, subtype="PCM_24")
    assert path.stat().st_size > 3 << 20
    return path


def row_of(page: Page, name: str) -> Locator:
    return page.locator("[data-rows] > li").filter(has_text=name)


def choose(page: Page, *paths: Path) -> None:
    page.get_by_label("Choose recordings").set_input_files(list(paths))


def listened_to(page: Page) -> Callable[[], list[str]]:
    """What a screen reader is told from now on, each change once: the next one may follow at once."""
    page.evaluate("""() => {
        const region = document.querySelector("[data-said]");
        window.said = [];
        new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true });
    }""")
    return lambda: page.evaluate("window.said")


def test_recordings_are_sent_and_captioned(page: Page, tmp_path: Path) -> None:
    note = tmp_path / "note.mp3"
    note.write_text("no recording at all\n" * 20)
    said = listened_to(page)
    choose(page, CLIP, note)
    ready = row_of(page, "lobster_24s.flac")
    expect(row_of(page, "note.mp3")).to_contain_text("There is no sound in this file", timeout=120_000)
    expect(ready.locator("[data-status]")).to_have_text("Ready", timeout=120_000)
    assert sum("lobster_24s.flac: Ready" in sentence for sentence in said()) == 1
    with page.expect_download() as download:
        ready.get_by_role("link", name="TXT").click()
    heard = Path(download.value.path()).read_text(encoding="utf-8")
    lines = re.findall(r"^\[[\d:]+\] (?:[^:]+: )?(.+)$", heard, re.MULTILINE)
    assert is_heard(CLIP.with_suffix(".txt").read_text(encoding="utf-8"), " ".join(lines))
    ready.get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", name="The meeting has ended")).to_be_visible()


def test_a_cut_link_and_a_closed_page_cost_nothing(
    page: Page, browser: Browser, parlance: RunningParlance, signed_in: str, large: Path
) -> None:
    offsets: list[int] = []

    def cut(route: Route) -> None:
        """Lets one chunk through, then breaks one off, then all others."""
        if route.request.method == "PATCH":
            offsets.append(int(route.request.headers["upload-offset"]))
        (route.continue_ if len(offsets) < 2 else route.abort)()

    page.route(CHUNKS, cut)
    choose(page, large)
    expect(row_of(page, "large.wav").locator("[data-hint]")).to_have_text(
        "Connection lost, trying again…", timeout=30_000
    )
    assert offsets[:2] == [0, 1 << 20]
    page.close(run_before_unload=False)

    context = browser.new_context(viewport=DESKTOP, storage_state=signed_in)
    again = context.new_page()
    sent: list[str] = []
    again.on("request", lambda request: sent.append(request.headers.get("upload-offset", "")))
    again.goto(f"{parlance.url}/uploads/")
    row = row_of(again, "large.wav")
    expect(row.locator("[data-status]")).to_have_text(re.compile(r"^Stopped at \d\d %$"))
    expect(row.locator("[data-hint]")).to_have_text("Choose the same file again to go on.")
    choose(again, large)
    expect(row.locator("[data-status]")).to_have_text("Ready", timeout=120_000)
    assert next(filter(None, sent)) == str(1 << 20), "what had arrived is not sent again"
    expect(again.locator("[data-rows] > li").filter(has_text="large.wav")).to_have_count(1)
    context.close()


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("[data-rows] > li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_one_that_is_deleted_is_gone(page: Page, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp3"
    empty.write_bytes(b"")
    choose(page, empty)
    row = row_of(page, "empty.mp3")
    expect(row.locator("[data-status]")).to_have_text("This file is empty.")
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Delete empty.mp3").click()
    expect(row).to_have_count(0)
    ready = row_of(page, "lobster_24s.flac")
    ready.get_by_role("button", name="Delete lobster_24s.flac").click()
    expect(ready).to_have_count(0)
    page.reload()
    expect(row_of(page, "large.wav")).to_be_visible()
    expect(ready).to_have_count(0)
