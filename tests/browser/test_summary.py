"""The newest summary on both pages: what it says, where its items lead, and the host's word on it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import ScriptedServer, caption, hello, item, partial, speaker, summary
from tests.browser.steps import first_line, place_of
from tests.browser.test_corrections import wait_for

ANA, BEN = speaker(1, "Ana"), speaker(2)
DECISION = item("decision", "The budget is fixed.", 2, 3)
ACTION = item("action", "Book the room.", 4, owner="S2")
QUESTION = item("question", "Who pays?", 5)
TOPIC = item("topic", "The budget of next year.", 1)
PHONE, DESKTOP = {"width": 390, "height": 700}, {"width": 1280, "height": 800}
NARROW = {"width": 980, "height": 700}
"""Just wide enough for both: the captions' lines break anew beside the panel."""
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</li></ul><script>alert(2)</script>",
    "<a href=javascript:alert(3)>x</a>",
    '" onclick="alert(4)',
    "&lt;b&gt; {{ 7 * 7 }} ${alert(5)}",
    "\u202egnp.exe",
)
ENOUGH_TO_SCROLL = 80


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedServer) -> Page:
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    server.open_viewer(module_server)
    server.say(hello(speakers=(ANA, BEN), languages=("en", "pt")))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Summary", exact=True)


def toggle(page: Page) -> Locator:
    return page.get_by_role("button", name="Summary")


def mark(page: Page) -> Locator:
    return page.locator("[data-summary-mark]")


def open_panel(page: Page) -> None:
    toggle(page).click()
    expect(panel(page)).to_be_focused()


def way_to(page: Page, text: str) -> Locator:
    return page.locator("[data-summary-items]").get_by_role("button", name=text, exact=True)


def line(page: Page, number: int) -> Locator:
    return page.locator(f'[data-captions] [data-segment="{number:08}"]')


def lists(page: Page) -> dict[str, list[str]]:
    """What stands under each heading."""
    return dict(
        page.locator("[data-summary-items] ul").evaluate_all(
            "(all) => all.map((ul) => [document.getElementById(ul.getAttribute('aria-labelledby')).textContent,"
            " [...ul.children].map((li) => li.textContent)])"
        )
    )


class TestShown:
    def test_nothing_is_there_until_there_is_a_summary(self, viewer: Page, server: ScriptedServer) -> None:
        expect(toggle(viewer)).to_be_hidden()
        server.say(summary(1, TOPIC, DECISION, ACTION, QUESTION))
        open_panel(viewer)
        assert lists(viewer) == {
            "Decisions": ["The budget is fixed."],
            "Actions": ["Book the room. Speaker 2"],
            "Questions": ["Who pays?"],
            "Topics": ["The budget of next year."],
        }
        expect(viewer.locator("[data-summary-reach]")).to_have_text("Covers the first 1:00")

    def test_the_one_that_reaches_furthest_is_shown(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(2, DECISION), summary(1, TOPIC, seq=300))
        expect(viewer.locator("[data-summary-reach]")).to_have_text("Covers the first 2:00")
        assert lists(viewer) == {"Decisions": ["The budget is fixed."]}

    def test_a_translation_takes_the_place_and_leaves_the_focus(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(1, DECISION, QUESTION))
        open_panel(viewer)
        way_to(viewer, "Who pays?").focus()
        translated = [{**DECISION, "text": "الميزانية ثابتة."}, {**QUESTION, "text": "من يدفع؟"}]
        server.say(summary(1, *translated, seq=101, language="ar"))
        row = way_to(viewer, "من يدفع؟")
        expect(row).to_be_focused()
        assert row.evaluate("(row) => [row.lang, row.dir]") == ["ar", "rtl"]
        expect(way_to(viewer, "Who pays?")).to_have_count(0)

    def test_another_language_comes_with_the_same_number(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(1, DECISION))
        open_panel(viewer)
        server.say({"type": "resync", "after": 0}, summary(1, {**DECISION, "text": "O orçamento está fechado."}))
        expect(way_to(viewer, "O orçamento está fechado.")).to_be_visible()
        server.say(summary(1, DECISION, seq=99), caption(1))
        expect(line(viewer, 1)).to_be_visible()
        expect(way_to(viewer, "O orçamento está fechado.")).to_be_visible()

    def test_an_owner_has_the_name_that_the_host_gives(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(1, ACTION))
        open_panel(viewer)
        owner = viewer.locator("[data-summary-items] .speaker")
        expect(owner).to_have_text("Speaker 2")
        assert owner.get_attribute("data-color") == "2"
        server.say(speaker(2, "Benedita", seq=101))
        expect(owner).to_have_text("Benedita")
        server.say(speaker(2, "Benedita", seq=102, merged_into="S1"))
        expect(owner).to_have_text("Ana")
        assert owner.get_attribute("data-color") == "1"

    def test_what_strangers_said_is_text(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(
            summary(1, *(item(text, text, 1) for text in HOSTILE), *(item("topic", text, 1) for text in HOSTILE))
        )
        expect(viewer.locator("[data-summary-items] .cited-item")).to_have_text(list(HOSTILE))
        inside = "(all) => all.flatMap((element) => [...element.children])"
        assert viewer.locator("[data-summary-items] .cited-item").evaluate_all(inside) == []
        assert viewer.locator("[data-summary] :is(img, script, a)").count() == 0

    def test_a_hostile_owner_is_text(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(speaker(2, HOSTILE[0], seq=1), summary(1, ACTION))
        expect(viewer.locator("[data-summary-items] .speaker")).to_have_text(HOSTILE[0])
        assert viewer.locator("[data-summary] img").count() == 0

    def test_one_without_items_says_so(self, viewer: Page, server: ScriptedServer) -> None:
        none = viewer.locator("[data-summary-none]")
        server.say(summary(1))
        open_panel(viewer)
        expect(none).to_have_text("There was nothing to sum up.")
        server.say(summary(2, TOPIC))
        expect(none).to_be_hidden()

    def test_an_overlay_has_none(self, page: Page, module_server: str, server: ScriptedServer) -> None:
        server.open_viewer(module_server, query="overlay=1")
        server.say(hello(), summary(1, TOPIC), caption(1))
        expect(line(page, 1)).to_be_visible()
        assert page.locator("[data-summary]").count() == 0
        assert page.get_by_text("The budget of next year.").count() == 0


class TestNews:
    def test_is_told_once(self, viewer: Page, server: ScriptedServer) -> None:
        status = viewer.locator("[data-summary-status]")
        server.say(summary(1, TOPIC))
        expect(status).to_have_text("There is a new summary. Covers the first 1:00")
        assert status.get_attribute("role") == "status"
        status.evaluate(
            "(status) => { window.told = 0; new MutationObserver(() => { window.told += 1; })"
            ".observe(status, { childList: true, characterData: true, subtree: true }); }"
        )
        server.say(summary(1, {**TOPIC, "text": "O orçamento."}, seq=101))
        open_panel(viewer)
        expect(way_to(viewer, "O orçamento.")).to_be_visible()
        assert viewer.evaluate("window.told") == 0
        server.say(summary(2, TOPIC))
        expect(status).to_have_text("There is a new summary. Covers the first 2:00")

    def test_who_comes_late_sees_it_and_is_not_interrupted(
        self, page: Page, module_server: str, server: ScriptedServer
    ) -> None:
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
        server.open_viewer(module_server)
        server.say(hello(last_seq=105), summary(1, DECISION), caption(2, seq=105))
        open_panel(page)
        way_to(page, "The budget is fixed.").click()
        expect(line(page, 2)).to_be_focused()
        expect(page.locator("[data-summary-status]")).to_have_text("")

    @pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
    def test_it_stays_closed_with_a_mark_until_it_is_read(
        self, viewer: Page, server: ScriptedServer, size: dict[str, int]
    ) -> None:
        viewer.set_viewport_size(size)  # type: ignore[arg-type]
        server.say(caption(1))
        expect(line(viewer, 1)).to_be_visible()
        place = line(viewer, 1).bounding_box()
        server.say(summary(1, TOPIC))
        expect(mark(viewer)).to_be_visible()
        assert line(viewer, 1).bounding_box() == place
        expect(toggle(viewer)).to_have_attribute("aria-expanded", "false")
        expect(way_to(viewer, TOPIC["text"])).to_be_hidden()
        open_panel(viewer)
        expect(way_to(viewer, TOPIC["text"])).to_be_visible()
        expect(mark(viewer)).to_be_hidden()
        panel(viewer).get_by_role("button", name="Close").click()
        expect(toggle(viewer)).to_be_focused()
        server.say(summary(1, {**TOPIC, "text": "O orçamento."}, seq=101), caption(2))
        expect(line(viewer, 2)).to_be_visible()
        expect(mark(viewer)).to_be_hidden()
        server.say(summary(2, TOPIC))
        expect(mark(viewer)).to_be_visible()


class TestJump:
    @pytest.fixture
    def long(self, viewer: Page, server: ScriptedServer) -> Page:
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)), summary(1, DECISION, QUESTION))
        expect(line(viewer, ENOUGH_TO_SCROLL - 1)).to_be_in_viewport()
        expect(line(viewer, 2)).not_to_be_in_viewport()
        open_panel(viewer)
        return viewer

    def test_leads_to_the_captions_and_marks_them(self, long: Page, server: ScriptedServer) -> None:
        way_to(long, "The budget is fixed.").click()
        expect(line(long, 2)).to_be_in_viewport()
        expect(line(long, 2)).to_be_focused()
        marked = long.locator("[data-cited]")
        assert marked.evaluate_all("(all) => all.map((line) => line.dataset.segment)") == ["00000002", "00000003"]
        server.say(caption(ENOUGH_TO_SCROLL), partial(ENOUGH_TO_SCROLL + 1, "and"))
        expect(long.locator("[data-to-live]")).to_have_text("Jump to live (1 new)")
        expect(line(long, 2)).to_be_in_viewport()
        long.locator("[data-to-live]").click()
        expect(line(long, ENOUGH_TO_SCROLL)).to_be_in_viewport()
        expect(marked).to_have_count(0)
        assert line(long, 2).get_attribute("tabindex") is None

    def test_the_keyboard_does_it_too(self, long: Page) -> None:
        for _ in range(3):
            long.keyboard.press("Tab")
        expect(way_to(long, "Who pays?")).to_be_focused()
        long.keyboard.press("Enter")
        expect(line(long, 5)).to_be_focused()
        expect(line(long, 5)).to_be_in_viewport()
        outline = line(long, 5).evaluate("(line) => getComputedStyle(line).outlineStyle")
        assert outline == "solid"

    def test_the_first_that_is_still_there_is_shown(self, long: Page, server: ScriptedServer) -> None:
        server.say(caption(2, "", seq=101, revision=1), summary(2, DECISION, item("topic", "Split", 7), seq=200))
        way_to(long, "The budget is fixed.").click()
        expect(line(long, 3)).to_be_focused()

    def test_a_part_that_is_whole_again_is_found(self, long: Page, server: ScriptedServer) -> None:
        server.say(summary(2, {**TOPIC, "segments": ["00000004.1"]}))
        way_to(long, TOPIC["text"]).click()
        expect(line(long, 4)).to_be_focused()

    def test_what_is_not_here_leads_nowhere(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(1, TOPIC))
        open_panel(viewer)
        way_to(viewer, TOPIC["text"]).click()
        expect(way_to(viewer, TOPIC["text"])).to_be_focused()

    @pytest.mark.parametrize(
        ("size", "lines"), [(PHONE, 0), (NARROW, 1), (DESKTOP, 0)], ids=["phone", "narrow", "desktop"]
    )
    def test_a_panel_that_comes_and_goes_leaves_the_text_where_it_is(
        self, viewer: Page, server: ScriptedServer, size: dict[str, int], lines: int
    ) -> None:
        viewer.set_viewport_size(size)  # type: ignore[arg-type]
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)))
        expect(line(viewer, ENOUGH_TO_SCROLL - 1)).to_be_in_viewport()
        viewer.locator("[data-transcript]").hover()
        viewer.mouse.wheel(0, -200)
        expect(viewer.locator("[data-to-live]")).to_be_visible()
        places = [first_line(viewer)]
        server.say(summary(1, TOPIC, DECISION))
        expect(toggle(viewer)).to_be_visible()
        places.append(place_of(viewer, places[0][0]))
        assert places[1] == places[0]
        for _ in range(2):
            toggle(viewer).click()
            places.append(place_of(viewer, places[0][0]))
        height = line(viewer, 1).evaluate("(line) => parseFloat(getComputedStyle(line).lineHeight)")
        assert max(abs(top - places[0][1]) for _, top in places) < lines * height + 1
        expect(viewer.locator("[data-to-live]")).to_be_visible()


class TestConnection:
    def test_comes_back_after_the_summary(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(7), summary(1, TOPIC))
        expect(toggle(viewer)).to_be_visible()
        server.close(1012)
        expect(viewer.locator("[data-connection]")).to_have_text("Connection lost, trying again…")
        assert server.wait_for_socket(2)["after"] == "100"
        server.say(hello(last_seq=200), summary(2, DECISION))
        expect(viewer.locator("[data-summary-status]")).to_have_text("There is a new summary. Covers the first 2:00")

    def test_summaries_count_as_read(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(*(caption(number) for number in range(1, 50)), summary(1, TOPIC))
        wait_for(server, {"type": "seen", "seq": 100})


class TestLayout:
    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_fits_the_window(self, viewer: Page, server: ScriptedServer, width: int) -> None:
        viewer.set_viewport_size({"width": width, "height": 640})
        long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen " * 3
        server.say(caption(1), *(summary(1, *(item("topic", long, 1) for _ in range(20)), {**ACTION, "text": long}),))
        open_panel(viewer)
        assert viewer.evaluate("document.documentElement.scrollWidth") <= width
        expect(line(viewer, 1)).to_be_in_viewport()
        expect(viewer.locator("[data-summary-items] .speaker")).to_be_visible()

    def test_targets_are_large_enough(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(summary(1, TOPIC, ACTION))
        open_panel(viewer)
        heights = (
            panel(viewer)
            .get_by_role("button")
            .evaluate_all("(all) => all.map((button) => button.getBoundingClientRect().height)")
        )
        assert len(heights) == 3
        assert min(heights) >= 24
