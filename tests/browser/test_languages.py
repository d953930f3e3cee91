"""Captions in the reader's language: chosen without reconnecting, with the original at hand, in both directions."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import Message, ScriptedServer, caption, hello, partial, speaker

LANGUAGES = ("en", "pt", "ar")


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_viewer(module_server)
    server.say(hello(languages=LANGUAGES))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def translated(number: int, original: str, text: str, *, language: str = "pt", **changes: Any) -> Message:
    return caption(number, original, translation={"language": language, "text": text}, **changes)


def menu(page: Page) -> Locator:
    return page.get_by_label("Caption language")


def text(page: Page) -> Locator:
    return page.locator("[data-captions] .final")


def test_a_menu_only_where_there_is_a_choice(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server)
    server.say(hello(languages=("en",)))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    expect(menu(page)).to_be_hidden()
    server.say(hello(languages=("en", "pt")))
    expect(menu(page)).to_be_visible()
    assert menu(page).locator("option").all_inner_texts() == ["As spoken (English)", "Português"]
    server.say(hello(language="auto", languages=("en", "pt")))
    expect(menu(page).locator("option")).to_have_text(["As spoken", "English", "Português"])


def test_another_language_without_a_new_connection(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Good morning."), caption(2, "Yes."))
    expect(text(viewer)).to_have_text(["Good morning.", "Yes."])
    menu(viewer).select_option("pt")
    tag = viewer.locator(".language-tag")
    expect(tag).to_have_text(["EN", "EN"])
    server.say({"type": "resync", "after": 0}, translated(1, "Good morning.", "Bom dia."))
    expect(text(viewer)).to_have_text(["Bom dia.", "Yes."])
    server.say(translated(2, "Yes.", "Sim.", seq=3, revision=1))
    expect(text(viewer)).to_have_text(["Bom dia.", "Sim."])
    expect(tag).to_have_count(0)
    assert text(viewer).first.get_attribute("lang") == "pt"
    menu(viewer).select_option("As spoken (English)")
    expect(text(viewer)).to_have_text(["Good morning.", "Yes."])
    asked = [m["language"] for m in server.received if isinstance(m, dict) and m["type"] == "language"]
    assert (asked, len(server.sockets)) == (["pt", ""], 1)


def test_the_menu_follows_what_is_spoken(viewer: Page, server: ScriptedServer) -> None:
    options = menu(viewer).locator("option")
    server.say({"type": "languages", "spoken": "pt", "languages": ["pt", "en"]})
    expect(options).to_have_text(["As spoken (Português)", "English"])
    menu(viewer).select_option("en")
    server.say({"type": "languages", "spoken": "en", "languages": ["en", "pt"]})
    expect(options).to_have_text(["As spoken (English)", "English", "Português"])
    expect(menu(viewer)).to_have_value("en")


def test_a_choice_comes_back_with_its_language(viewer: Page, server: ScriptedServer) -> None:
    menu(viewer).select_option("pt")
    server.say({"type": "languages", "spoken": "fr", "languages": ["fr"]})
    expect(menu(viewer)).to_be_hidden()
    server.say({"type": "languages", "spoken": "en", "languages": list(LANGUAGES)})
    expect(menu(viewer)).to_have_value("pt")
    asked = [m["language"] for m in server.received if isinstance(m, dict) and m["type"] == "language"]
    assert asked == ["pt", "", "pt"]


def test_a_cut_while_the_language_changes_loses_nothing(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1), caption(2))
    expect(text(viewer)).to_have_count(2)
    menu(viewer).select_option("pt")
    server.close(1012)
    query = server.wait_for_socket(2)
    assert (query["lang"], query["after"]) == ("pt", "0")


def test_the_choice_outlives_a_reload(viewer: Page, server: ScriptedServer) -> None:
    menu(viewer).select_option("pt")
    viewer.reload()
    assert server.wait_for_socket(2)["lang"] == "pt"
    server.say(hello(languages=LANGUAGES), translated(1, "Yes.", "Sim."))
    expect(text(viewer)).to_have_text("Sim.")
    expect(menu(viewer)).to_have_value("pt")


def test_the_original_alongside_at_one_tap(viewer: Page, server: ScriptedServer) -> None:
    toggle = viewer.get_by_role("button", name="Show original")
    expect(toggle).to_be_hidden()
    menu(viewer).select_option("pt")
    server.say(translated(1, "Good morning.", "Bom dia."), caption(2, "Sim.", language="pt"))
    original = viewer.locator("[data-captions] .original")
    expect(original).to_be_hidden()
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(original).to_have_text(["Good morning."])
    expect(original).to_be_visible()
    assert original.evaluate("(span) => [span.lang, span.dir]") == ["en", "ltr"]
    below, above = original.bounding_box(), text(viewer).first.bounding_box()
    assert below is not None
    assert above is not None
    assert below["y"] >= above["y"] + above["height"] - 1
    toggle.click()
    expect(original).to_be_hidden()


def test_a_language_that_is_not_offered_is_said(viewer: Page, server: ScriptedServer) -> None:
    menu(viewer).select_option("ar")
    sentence = "Arabic is not available with the starter models."
    server.say({"type": "error", "code": "language_unavailable", "message": sentence})
    expect(viewer.locator(".language [role=status]")).to_have_text(sentence)
    expect(menu(viewer)).to_have_value("")
    server.say(caption(1, "Good morning."))
    expect(viewer.locator(".language-tag")).to_have_count(0)
    expect(text(viewer)).to_have_text("Good morning.")
    server.close(4404)
    expect(viewer.locator("[data-notice]")).to_contain_text("This meeting no longer exists.")


def test_a_link_may_ask_for_a_language_and_the_original(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server, query="lang=pt&original=1")
    assert server.wait_for_socket(1)["lang"] == "pt"
    server.say(hello(languages=LANGUAGES), translated(1, "Yes.", "Sim."))
    expect(text(page)).to_have_text("Sim.")
    expect(page.locator("[data-captions] .original")).to_be_visible()


def test_a_link_may_ask_in_vain(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server, query="lang=es")
    sentence = "Spanish is not available with the starter models."
    server.say(hello(), {"type": "error", "code": "language_unavailable", "message": sentence}, caption(1, "Yes."))
    expect(page.locator(".language [role=status]")).to_have_text(sentence)
    expect(page.locator(".language [role=status]")).to_be_visible()
    expect(text(page)).to_have_text("Yes.")
    expect(page.locator(".language-tag")).to_have_count(0)


def test_scripts_without_spaces_are_read_without_them(viewer: Page, server: ScriptedServer) -> None:
    paragraph = viewer.locator("[data-captions] p")
    chinese = (caption(1, "今天天气很好。", language="zh"), caption(2, "我们去公园散步。", language="zh"))
    server.say(*chinese, partial(3, "明天"))
    expect(paragraph).to_have_text("0:03 今天天气很好。我们去公园散步。明天")
    space = viewer.locator("[data-captions] .caption").nth(1).evaluate_handle("(line) => line.previousSibling")
    assert space.evaluate("(node) => node.data") == ""
    menu(viewer).select_option("pt")
    assert space.evaluate("(node) => node.data") == " ", "a tag stands at the end of the first"


def test_right_to_left(viewer: Page, server: ScriptedServer) -> None:
    menu(viewer).select_option("ar")
    server.say(speaker(1, "Ana"), caption(1, "Good morning.", speaker="S1"))
    paragraph = viewer.locator("[data-captions] p")
    expect(paragraph).to_have_attribute("dir", "ltr")
    arabic = translated(1, "Good morning.", "صباح الخير.", language="ar", seq=2, revision=1, speaker="S1")
    server.say(arabic, partial(2, "and so"))
    expect(paragraph).to_have_attribute("dir", "rtl")
    assert text(viewer).evaluate("(span) => [span.lang, span.dir]") == ["ar", "rtl"]
    label, words = viewer.locator(".speaker").bounding_box(), text(viewer).bounding_box()
    assert label is not None
    assert words is not None
    assert label["x"] > words["x"] + words["width"], "the name stands where reading begins"


def test_speech_that_turns_its_direction_starts_a_paragraph(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Good morning."), caption(2, "صباح الخير.", language="ar"), caption(3, "Well?"))
    expect(viewer.locator("[data-captions] p")).to_have_count(3)
    directions = viewer.locator("[data-captions] p").evaluate_all("(all) => all.map((p) => p.dir)")
    assert directions == ["ltr", "rtl", "ltr"]
