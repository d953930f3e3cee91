"""Every page that needs no server: axe finds nothing in light and dark, and nothing is to be scrolled sideways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from meetings.models import Meeting
from tests.browser.accessibility import violations
from tests.browser.scripted import MEETING, ScriptedServer, caption, hello, notice, ready, speaker

Opening = Callable[[ScriptedServer, str], None]

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"
SMALLEST = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}


def notice_page(template: str, **context: object) -> Opening:
    return lambda server, base: server.open_notice(base, template, **context)


def host_page(server: ScriptedServer, base: str, *, state: str) -> None:
    server.open_host(base)
    server.say(ready(), hello(state=state, speakers=(speaker(1, LONG), speaker(2))), caption(1, LONG, speaker="S1"))
    expect(server.page.locator("[data-captions] .final")).to_be_visible()


def viewer_page(server: ScriptedServer, base: str, *, state: str) -> None:
    server.open_viewer(base, downloads=True)
    server.say(hello(state=state, languages=("en", "pt")), caption(1, LONG), notice(state))
    expect(server.page.locator("[data-captions] .final")).to_be_visible()


def list_page(server: ScriptedServer, base: str) -> None:
    server.open_list(base, meetings=(Meeting(pk="x", title=LONG, created_at=MEETING.created_at, state="ended"),))


OPENINGS: dict[str, Opening] = {
    "list": list_page,
    "uploads": ScriptedServer.open_uploads,
    **{f"host {state}": partial(host_page, state=state) for state in ("waiting", "live", "paused", "ended")},
    **{
        f"viewer {state}": partial(viewer_page, state=state)
        for state in ("waiting", "summarizing", "catching_up", "paused", "host_away", "degraded", "ended")
    },
    "join": notice_page("meetings/join.html", sentence="There is no meeting with this code."),
    "password": notice_page("meetings/password.html", meeting=MEETING),
    "refused": notice_page("meetings/refused.html", sentence=LONG),
    "400": notice_page("400.html", sentence=LONG),
    "403": notice_page("403.html"),
    "form out of date": notice_page("403_csrf.html"),
    "404": notice_page("404.html"),
    "500": notice_page("500.html"),
}
WAY_ON = ("refused", "400", "403", "form out of date", "404", "500")


@pytest.mark.parametrize("name", OPENINGS)
def test_it_is_fit_for_everybody(page: Page, module_server: str, name: str) -> None:
    OPENINGS[name](ScriptedServer(page), module_server)
    for scheme, size in (("light", DESKTOP), ("dark", SMALLEST)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALLEST["width"]


@pytest.mark.parametrize("name", WAY_ON)
def test_an_error_offers_a_next_step(page: Page, module_server: str, name: str) -> None:
    OPENINGS[name](ScriptedServer(page), module_server)
    expect(page.locator("main a").first).to_be_visible()
