"""The first look of a newcomer, with everything real: half a minute of sound, and what is on the page then."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.accessibility import violations
from tests.browser.steps import DESKTOP
from tests.live import RunningParlance

SPOKEN_MS = 120_000
"""For half a minute of sound on a busy machine."""

SUMMARY_MS = 120_000


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("summarizer")
def test_a_newcomer_sees_captions_speakers_portuguese_and_a_summary(
    browser: Browser, parlance: RunningParlance
) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(parlance.sign_in_link)
    assert violations(page) == []
    page.get_by_role("button", name="Try it with a sample recording").click()
    captions, connection = page.locator("[data-captions]"), page.locator("[data-connection]")
    expect(connection).to_have_text("Live", timeout=SPOKEN_MS)
    expect(connection).to_have_text("Meeting ended", timeout=SPOKEN_MS)
    expect(captions.locator(".final[lang=pt]").first).to_be_visible()
    expect(captions.locator(".original[lang=en]").filter(has_text="red letters")).to_be_visible()
    expect(captions.locator(".speaker")).to_contain_text(["Speaker 1", "Speaker 2"])
    expect(page.locator("[data-summary-items] li").first).to_be_visible(timeout=SUMMARY_MS)
    assert violations(page) == []
    page.get_by_role("link", name="Transcript").click()
    expect(page.get_by_role("button", name="Hear it from 0:00:00")).to_be_visible()
    expect(page.get_by_role("heading", name="Summary")).to_be_visible()
    context.close()
