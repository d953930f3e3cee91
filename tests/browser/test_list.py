"""The list of meetings, by keyboard and on a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from meetings.models import Upload
from tests.browser.accessibility import violations
from tests.browser.scripted import MEETING, ScriptedServer


def test_a_lines_menu_opens_by_keyboard_and_closes_like_a_menu(page: Page, module_server: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    ScriptedServer(page).open_list(module_server, meetings=(Upload(meeting=MEETING).meeting,))
    opener, delete = page.get_by_label("More for Weekly planning"), page.get_by_role("button", name="Delete Weekly")
    expect(delete).to_be_hidden()
    opener.press("Enter")
    delete.focus()
    expect(delete).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(delete).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    page.get_by_role("heading", name="Meetings", exact=True).click()
    expect(delete).to_be_hidden()
