"""Pages whose scripts come late, as over a slow network: no click before them is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from meetings.models import Upload
from tests.browser.accessibility import violations
from tests.browser.scripted import MEETING, ScriptedServer

TAKES_INPUT = """() => [...document.querySelectorAll("button, input, select, textarea")]
    .filter((control) => !control.matches(":disabled, [type=hidden]"))
    .filter((control) => !control.closest("[hidden], dialog:not([open]), form[method]:not([data-confirm])"))
    .map((control) => control.outerHTML)"""
"""The controls that take input, but for those in forms that a server answers without any script."""

OPEN = {
    "host": ScriptedServer.open_host,
    "viewer": ScriptedServer.open_viewer,
    "uploads": ScriptedServer.open_uploads,
    "list": lambda server, base: server.open_list(base, meetings=(Upload(meeting=MEETING).meeting,)),
}


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    server = ScriptedServer(page)
    server.hold_scripts()
    return server


def start(page: Page) -> Locator:
    page.get_by_role("button", name="Start captions").click()
    return page.get_by_role("dialog", name="Has everyone been told?")


def appearance(page: Page) -> Locator:
    page.get_by_text("Appearance").click()
    page.get_by_label("Colours").select_option("dark")
    return page.locator("html[data-theme=dark]")


def deletion(page: Page) -> Locator:
    asked: list[str] = []
    page.get_by_label("More for Weekly planning").click()
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Delete Weekly planning").click()
    assert asked == ["Delete \u201cWeekly planning\u201d with all its captions? This cannot be undone."]
    return page.get_by_role("button", name="Delete Weekly planning")


def languages(page: Page) -> Locator:
    page.get_by_label("Spoken language").select_option("auto")
    return page.locator("[data-detected]")


@pytest.mark.parametrize(
    ("name", "use"), [("host", start), ("viewer", appearance), ("uploads", languages), ("list", deletion)]
)
def test_controls_are_disabled_until_their_script_listens(
    page: Page, module_server: str, server: ScriptedServer, name: str, use: Callable[[Page], Locator]
) -> None:
    OPEN[name](server, module_server)
    expect(page.locator("[data-until-ready]").first).to_be_attached()
    page.wait_for_function("document.readyState === 'interactive'")
    assert page.evaluate(TAKES_INPUT) == []
    assert violations(page) == []
    server.release_scripts()
    expect(use(page)).to_be_visible()
    assert page.locator("[data-until-ready]:disabled").count() == 0
