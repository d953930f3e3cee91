"""The page of API tokens: a new one is copied whatever the browser allows, and none goes without a question."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from meetings.models import ApiToken
from tests.browser.accessibility import violations
from tests.browser.scripted import ScriptedServer

TOKEN = "parlance_0123456789abcdef"
REFUSE = "void (navigator.clipboard.writeText = async () => { throw new DOMException('no', 'NotAllowedError'); })"
ABSENT = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"


def test_a_new_token_is_copied(page: Page, module_server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ScriptedServer(page).open_account(module_server, new_token=TOKEN)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == TOKEN
    assert violations(page) == []


@pytest.mark.parametrize("browser_is", [REFUSE, ABSENT], ids=["refuses", "cannot"])
def test_where_the_browser_does_not_copy_the_reader_is_told_how(
    page: Page, module_server: str, browser_is: str
) -> None:
    ScriptedServer(page).open_account(module_server, new_token=TOKEN)
    page.evaluate(browser_is)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("It is selected: press Ctrl-C")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == TOKEN


def test_a_token_is_revoked_after_a_question(page: Page, module_server: str) -> None:
    ScriptedServer(page).open_account(module_server, tokens=[ApiToken(pk=1, name="Notes")])
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Revoke Notes").click()
    assert asked == ["Revoke \u201cNotes\u201d? Programs that use this token will stop working."]
    expect(page.get_by_text("Notes")).to_be_visible()
