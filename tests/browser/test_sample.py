"""The first look of a newcomer, with everything real: half a minute of sound, and what is on the page then."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.steps import DESKTOP
from tests.hearing import word_error_rate
from tests.live import RunningParlance
from tests.silence import SECRET, secrets_of, told

SPOKEN_MS = 120_000
"""For half a minute of sound on a busy machine."""

SUMMARY_MS = 120_000

MOST_ERRORS = 0.5
"""Word errors to words: people in a meeting, who hesitate and talk across each other. Measured: 0.25."""

MOST_IS_THERE = """(least) => {
    const lines = [...document.querySelectorAll("[data-captions] .original[lang=en]")];
    return lines.map((line) => line.innerText.split(" ").length).reduce((sum, words) => sum + words, 0) >= least;
}"""

NAME = "Zephyrine Cormorant"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_newcomer_sees_captions_speakers_portuguese_and_a_summary(
    browser: Browser, parlance: RunningParlance, speech: Path
) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    secrets: set[str] = set()
    context.on("request", lambda request: secrets.update(secrets_of(request.url)))
    page.on("websocket", lambda socket: secrets.update(secrets_of(socket.url)))
    page.goto(parlance.sign_in_link)
    assert violations(page) == []
    page.get_by_role("button", name="Try it with a sample recording").click()
    captions, connection = page.locator("[data-captions]"), page.locator("[data-connection]")
    expect(connection).to_have_text("Live", timeout=SPOKEN_MS)
    expect(connection).to_have_text("Ended", timeout=SPOKEN_MS)
    expect(captions.locator(".final[lang=pt]").first).to_be_visible()
    expect(captions.locator(".original[lang=en]").first).to_be_visible()
    said = (speech / "sample.txt").read_text(encoding="utf-8")
    page.wait_for_function(MOST_IS_THERE, arg=len(said.split()) * (1 - MOST_ERRORS), timeout=SPOKEN_MS)
    assert word_error_rate(said, " ".join(texts(page, "[data-captions] .original[lang=en]"))) <= MOST_ERRORS
    expect(captions.locator(".speaker")).to_contain_text(["Speaker 1", "Speaker 2"])
    page.get_by_role("button", name="Summary").click(timeout=SUMMARY_MS)
    expect(page.locator("[data-summary-items] li").first).to_be_visible()
    assert violations(page) == []
    spoken = texts(page, "[data-captions] .final, [data-summary-items] li")
    page.get_by_role("link", name="Open transcript").click()
    expect(page.get_by_role("button", name="Hear it from 0:00")).to_be_visible()
    expect(page.get_by_role("heading", name="Summary")).to_be_visible()
    spoken += texts(page, "[data-wording]")
    name_somebody(page)
    look_after(page, parlance)
    assert_nothing_is_told(parlance, spoken, {NAME, *secrets, *cookies(context)})
    context.close()


def texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def cookies(context: BrowserContext) -> list[str]:
    return [cookie["value"] for cookie in context.cookies() if len(cookie["value"]) >= SECRET]


def name_somebody(page: Page) -> None:
    page.get_by_label("Name of Speaker 1").fill(NAME)
    page.locator("[data-speaker-form='Speaker 1']").get_by_role("button", name="Save").click()
    expect(page.locator("[data-speaker-name]").first).to_have_text(NAME)


def look_after(page: Page, parlance: RunningParlance) -> None:
    """The admin, with a real worker, swap, meeting and summary: its lists, its forms, its charts, in light and dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for model in ("meeting", "caption", "summary", "translation"):
            assert_accessible(page, f"{parlance.url}/admin/meetings/{model}/")
            first = page.locator("#result_list tbody th a").first.get_attribute("href")
            assert_accessible(page, f"{parlance.url}{first}")
        for path in ("admin/", "admin/operations/", "admin/search/?q=the"):
            assert_accessible(page, f"{parlance.url}/{path}")


def assert_accessible(page: Page, address: str) -> None:
    """Loaded in the scheme of the moment: while it changes, colours are between those of both."""
    page.goto(address)
    assert (address, violations(page)) == (address, [])


def assert_nothing_is_told(parlance: RunningParlance, spoken: list[str], secrets: set[str]) -> None:
    """In logs, which speak of meetings by their ids, and in metrics. A sign-in link is printed, to be used once."""
    lines = parlance.output.splitlines(keepends=True)
    logs = "".join(line for line in lines if not line.startswith("Sign in once with "))
    metrics = httpx.get(f"{parlance.url}/metrics").text
    assert '"meeting"' in logs
    assert "parlance_" in metrics
    assert spoken
    assert secrets - {NAME}
    assert told(logs + metrics, spoken=spoken, secrets=secrets) == []
