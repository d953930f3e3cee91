"""What a page says where its scripts cannot run, and times in the reader's zone where they can."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from meetings.models import Meeting
from tests.browser.scripted import ScriptedServer


@pytest.mark.parametrize(
    ("javascript", "removed", "sentence"),
    [
        (False, "", "This page needs JavaScript."),
        (True, "delete Array.prototype.findLastIndex", "This browser is too old for live captions."),
        (True, "", ""),
    ],
)
def test_who_cannot_read_here_learns_why(
    browser: Browser, module_server: str, javascript: bool, removed: str, sentence: str
) -> None:
    context = browser.new_context(java_script_enabled=javascript)
    page = context.new_page()
    page.add_init_script(removed)
    ScriptedServer(page).show_viewer(module_server)
    expect(page.locator(".too-old:visible")).to_have_count(int(bool(sentence)))
    if sentence:
        expect(page.locator(".too-old:visible")).to_contain_text(sentence)
        expect(page.locator(".too-old:visible [lang=pt]")).to_be_visible()
    context.close()


def test_times_are_in_the_readers_zone(browser: Browser, module_server: str) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    created = datetime(2026, 11, 29, 19, 14, tzinfo=UTC)
    ScriptedServer(page).open_list(module_server, meetings=(Meeting(pk="x", title="Planning", created_at=created),))
    time = page.locator("time")
    expect(time).to_have_text("30 Nov 2026, 04:14 GMT+9")
    expect(time).to_have_attribute("title", "29 Nov 2026, 19:14 UTC")
    assert [(one["name"], one["value"], one["path"]) for one in context.cookies()] == [("timezone", "Asia/Tokyo", "/")]
    context.close()
