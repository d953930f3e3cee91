"""Contrast of every text on its ground (WCAG 2.2, 1.4.3: at least 4.5 to 1), in every theme."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page

PAIRS = [
    ("--text", "--surface"),
    ("--text", "--page"),
    ("--text", "--tint"),
    ("--quiet", "--surface"),
    ("--quiet", "--page"),
    ("--quiet", "--tint"),
    ("--accent", "--surface"),
    ("--accent", "--page"),
    ("--on-accent", "--accent"),
    ("--on-accent", "--accent-strong"),
    ("--danger", "--surface"),
    ("--danger", "--danger-tint"),
    ("--warning", "--warning-tint"),
    *((f"--speaker-{number}", ground) for number in range(1, 9) for ground in ("--surface", "--page", "--tint")),
]
LEAST = 4.5

COLOURS = """(names) => names.map((name) => {
    const probe = document.createElement("p");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    return getComputedStyle(probe).color;
})"""


def luminance(colour: str) -> float:
    """Relative luminance by WCAG's formula."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def styled(browser: Browser, module_server: str) -> Page:
    page = browser.new_page()
    page.goto(module_server)
    page.add_style_tag(url="/static/css/app.css")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", ["auto", "light", "dark", "contrast"])
def test_text_can_be_read(styled: Page, scheme: str, theme: str) -> None:
    styled.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    styled.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    names = sorted({name for pair in PAIRS for name in pair})
    colours = dict(zip(names, styled.evaluate(COLOURS, names), strict=True))
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in PAIRS}
    assert {pair: value for pair, value in weak.items() if value < LEAST} == {}


@pytest.mark.parametrize(("theme", "is_dark"), [("light", False), ("dark", True), ("contrast", True)])
def test_chosen_theme_overrules_the_device(styled: Page, theme: str, is_dark: bool) -> None:
    styled.emulate_media(color_scheme="light" if is_dark else "dark")
    styled.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    (page_colour,) = styled.evaluate(COLOURS, ["--page"])
    assert (luminance(page_colour) < 0.2) is is_dark
