"""The operators' page keeps itself up to date while nobody is busy in it, and asks before it acts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.scripted import PAGES, POLICY

PATH = "/operations/"
HEADERS = {"Content-Security-Policy": POLICY, "Content-Type": "text/html"}
REFRESH_MS = 10_000


def offer(state: str) -> None:
    """Have the server answer with a page in this state."""
    form = '<form method="post"><button data-confirm="Unload the models?">Unload</button></form>'
    content = f'<div id="content-main"><p>{state}</p><details><summary>Figures</summary></details>{form}</div>'
    script = '<script type="module" src="/static/js/operations.js"></script>'
    PAGES[PATH] = f"<!doctype html><html lang=en><title>Operations</title>{script}<body>{content}", HEADERS


@pytest.fixture
def operations(page: Page, module_server: str) -> Page:
    page.clock.install()
    offer("first")
    page.goto(module_server.rstrip("/") + PATH)
    expect(page.get_by_text("first")).to_be_visible()
    return page


def test_what_is_new_comes_by_itself_and_waits_for_who_reads(operations: Page) -> None:
    offer("second")
    operations.clock.run_for(REFRESH_MS)
    expect(operations.get_by_text("second")).to_be_visible()
    offer("third")
    operations.get_by_text("Figures").click()
    asked: list[str] = []
    operations.on("request", lambda request: asked.append(request.url))
    operations.clock.run_for(3 * REFRESH_MS)
    assert asked == [], "a table is open, and its summary is focused"
    operations.get_by_text("Figures").click()
    operations.evaluate("document.activeElement.blur()")
    operations.clock.run_for(REFRESH_MS)
    expect(operations.get_by_text("third")).to_be_visible()


def test_an_order_is_asked_for_once_more(operations: Page) -> None:
    asked: list[str] = []
    sent: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    operations.on("dialog", refuse)
    operations.on("request", lambda request: sent.append(request.method))
    operations.get_by_role("button", name="Unload").click()
    assert (asked, sent) == (["Unload the models?"], [])
