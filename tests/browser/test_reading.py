"""How captions are read on a phone, in a magnified window, and as each reader likes it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.scripted import ScriptedServer, caption, hello, item, partial, speaker, summary
from tests.conftest import REPOSITORY

PHONE, SMALL, MAGNIFIED, TABLET = (390, 844), (320, 640), (320, 256), (820, 1100)
"""In CSS pixels; a window of 1280 × 1024 at 400 % is 320 × 256."""
ROW_PX = 54
LINES = """() => {
    const { top, bottom } = document.querySelector("[data-transcript]").getBoundingClientRect();
    const range = document.createRange();
    const lines = new Set();
    for (const text of document.querySelectorAll("[data-captions] :is(.final, .partial)")) {
        range.selectNodeContents(text);
        for (const line of range.getClientRects()) if (line.top >= top && line.bottom <= bottom) lines.add(line.top);
    }
    return lines.size;
}"""
"""How many lines of captions can be read."""


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedServer) -> Page:
    """With everything that the bar may hold."""
    server.open_viewer(module_server, downloads=True)
    server.say(hello(languages=("en", "pt"), speakers=(speaker(1, "Ana"),)))
    server.say(*(caption(number, speaker="S1") for number in range(1, 40)), partial(40, "and so"))
    server.say(summary(1, item("decision", "The budget is fixed.", 2)))
    page.get_by_label("Caption language").select_option("pt")
    expect(page.get_by_role("button", name="Summary")).to_be_visible()
    return page


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.parametrize("size", [PHONE, SMALL, MAGNIFIED, TABLET], ids=str)
def test_the_bar_is_one_row(viewer: Page, size: tuple[int, int]) -> None:
    resize(viewer, size)
    bar = viewer.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] <= ROW_PX
    controls = viewer.locator(".bar :is(button, summary, select):visible")
    expect(controls).to_have_count(4)
    for control in controls.all():
        expect(control).to_be_in_viewport(ratio=1)
    assert viewer.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_wide_window_shows_all_at_once(viewer: Page) -> None:
    resize(viewer, (1280, 800))
    expect(viewer.locator(".bar :is(button, summary, select, a):visible")).to_have_text(
        [
            re.compile("As spoken"),
            re.compile("Summary"),
            re.compile("Appearance"),
            "Show original",
            "Transcript",
            "Download",
            "Full screen",
        ]
    )


def test_what_is_seldom_used_stands_behind_more(viewer: Page) -> None:
    resize(viewer, PHONE)
    more, original = viewer.get_by_role("button", name="More"), viewer.get_by_role("button", name="Show original")
    expect(original).to_be_hidden()
    more.click()
    expect(viewer.get_by_role("link", name="Transcript")).to_be_visible()
    original.click()
    expect(original).to_be_hidden()
    expect(more).to_be_focused()
    expect(viewer.locator("html")).to_have_attribute("data-original", "shown")
    more.click()
    viewer.get_by_text("Download").click()
    expect(viewer.get_by_role("link", name="VTT")).to_be_visible()
    viewer.keyboard.press("Escape")
    expect(viewer.get_by_role("link", name="VTT")).to_be_hidden()
    expect(more).to_be_focused()


def test_what_is_wrong_is_told_whole(viewer: Page, server: ScriptedServer) -> None:
    resize(viewer, SMALL)
    server.close(4401)
    told = viewer.locator("[data-notice-text]")
    expect(told).to_contain_text("This link is no longer valid. Ask the host for a new one.")
    expect(told).to_be_in_viewport(ratio=1)
    expect(viewer.locator("[data-connection]")).to_be_in_viewport(ratio=1)


def test_six_lines_at_400_percent(viewer: Page) -> None:
    resize(viewer, MAGNIFIED)
    expect(viewer.locator("[data-captions] .partial")).to_be_in_viewport()
    assert viewer.evaluate(LINES) >= 6


def test_each_reader_chooses_font_line_length_and_place(viewer: Page, module_server: str) -> None:
    resize(viewer, (1280, 800))
    line, reading = viewer.locator("[data-captions] .final").first, viewer.locator(".reading")
    usual = viewer.locator("[data-captions] p").first.bounding_box()
    viewer.get_by_text("Appearance").click()
    viewer.get_by_label("Font").select_option("With serifs")
    assert "serif" in line.evaluate("(line) => getComputedStyle(line).fontFamily")
    viewer.get_by_label("Line length").select_option("Short")
    narrow = viewer.locator("[data-captions] p").first.bounding_box()
    assert usual is not None
    assert narrow is not None
    assert narrow["width"] < 0.75 * usual["width"]
    viewer.get_by_label("Place of the captions").select_option("At the bottom")
    low = reading.bounding_box()
    assert low is not None
    assert (low["y"] + low["height"], low["height"]) == (800, pytest.approx(0.4 * 736, abs=12))
    expect(viewer.locator("[data-captions] .partial")).to_be_in_viewport()
    viewer.reload()
    expect(viewer.locator("html")).to_have_attribute("data-position", "bottom")
    ScriptedServer(viewer).open_viewer(module_server, query="position=top&font=mono&width=full")
    high, bar = reading.bounding_box(), viewer.locator(".bar").bounding_box()
    assert high is not None
    assert bar is not None
    assert (high["y"], high["height"]) == (bar["height"], pytest.approx(low["height"], abs=20))


def test_a_reader_with_colours_of_their_own_sees_what_grounds_say(viewer: Page) -> None:
    viewer.emulate_media(forced_colors="active")
    dot = "(status) => getComputedStyle(status, '::before').backgroundColor"
    canvas = "(status) => getComputedStyle(document.body).backgroundColor"
    status = viewer.locator("[data-connection]")
    assert status.evaluate(dot) != status.evaluate(canvas)
    original = viewer.get_by_role("button", name="Show original")
    ground = original.evaluate("(button) => getComputedStyle(button).backgroundColor")
    original.click()
    assert original.evaluate("(button) => getComputedStyle(button).backgroundColor") != ground


def test_underlines_are_told_one_by_one() -> None:
    """WebKit does not know line, style and thickness in one property."""
    sheets = "".join(path.read_text() for path in (REPOSITORY / "static" / "css").glob("*.css"))
    assert re.findall(r"text-decoration: ?[^;]+ [^;]+;", sheets) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, MAGNIFIED, (1280, 800)], ids=str)
def test_axe_finds_nothing(viewer: Page, size: tuple[int, int], scheme: str) -> None:
    resize(viewer, size)
    viewer.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert violations(viewer) == []
    viewer.get_by_role("button", name="Summary").click()
    viewer.locator(".bar summary").first.click()
    assert violations(viewer) == []
