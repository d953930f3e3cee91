"""The viewer page, message by message."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import ScriptedServer, caption, hello, notice, partial, speaker
from tests.browser.steps import STILL, first_line, place_of

ENOUGH_TO_SCROLL = 80


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_viewer(module_server)
    server.say(hello())
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def finals(page: Page) -> list[str]:
    return page.locator("[data-captions] .final").all_inner_texts()


def shown(page: Page, text: str) -> Locator:
    return page.locator("[data-captions]").get_by_text(text, exact=True)


class TestText:
    def test_partial_text_gives_way_to_its_final_in_the_same_place(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Good morning."), partial(2, "when is"), partial(2, "when is a lob"))
        moving = viewer.locator("[data-captions] .partial")
        expect(moving).to_have_text("when is a lob")
        before = moving.bounding_box()
        server.say(caption(2, "When is a lobster?"))
        expect(moving).to_have_count(0)
        after = shown(viewer, "When is a lobster?").bounding_box()
        assert before is not None
        assert after is not None
        assert (after["x"], after["y"]) == (before["x"], before["y"])

    def test_late_partial_of_a_finished_caption_is_not_shown(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Good morning."), partial(1, "good mor"), caption(2, "Yes."))
        expect(shown(viewer, "Yes.")).to_be_visible()
        assert viewer.locator("[data-captions] .partial").count() == 0

    def test_what_is_provisional_is_marked_once_and_gives_way(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Good morning."), partial(2, "when is", provisional=True))
        server.say(partial(3, "a lob", provisional=True))
        expect(viewer.locator("[data-captions] :is(.provisional, .partial)")).to_have_text(
            ["provisional", "when is", "a lob"]
        )
        server.say(caption(2, "When is"), partial(3, "a lobster"))
        expect(viewer.locator("[data-captions] .partial")).to_have_text(["a lobster"])
        assert viewer.locator("[data-captions] .provisional").count() == 0

    def test_revision_replaces_and_empty_text_removes(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "One."), caption(2, "Too."), caption(3, "Three."))
        server.say(caption(2, "Two.", seq=4, revision=1), caption(3, "", seq=5, revision=1))
        expect(viewer.locator("[data-captions] .final")).to_have_text(["One.", "Two."])

    def test_what_strangers_say_is_text(self, viewer: Page, server: ScriptedServer) -> None:
        words = "<img src=x onerror=alert(1)></p><script>alert(2)</script>"
        server.say(caption(1, words), partial(2, words))
        expect(viewer.locator("[data-captions] .partial")).to_have_text(words)
        assert finals(viewer) == [words]
        assert viewer.locator("[data-captions] :is(img, script)").count() == 0

    def test_paragraphs_follow_pauses_and_length(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1), caption(2), caption(4), caption(5, "word " * 60, start=15.0), caption(6))
        expect(viewer.locator("[data-captions] p")).to_have_count(3)
        times = viewer.locator("[data-captions] time").all_inner_texts()
        assert times == ["0:03", "0:12", "0:18"]

    def test_every_caption_says_its_language_and_direction(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "صباح الخير", language="ar"), caption(3, "Good morning."))
        paragraphs = viewer.locator("[data-captions] p")
        expect(paragraphs).to_have_count(2)
        directions = paragraphs.evaluate_all("(all) => all.map((p) => getComputedStyle(p).direction)")
        assert directions == ["rtl", "ltr"]
        assert viewer.locator("[data-captions] .final").first.get_attribute("lang") == "ar"


class TestReading:
    def test_text_follows_until_the_reader_scrolls_up(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)))
        last = shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL - 1}.")
        expect(last).to_be_in_viewport()
        viewer.locator("[data-transcript]").hover()
        viewer.mouse.wheel(0, -600)
        back = viewer.locator("[data-to-live]")
        expect(back).to_have_text("Jump to live")
        top = viewer.locator("[data-transcript]").evaluate("(element) => element.scrollTop")
        server.say(*(caption(number) for number in range(ENOUGH_TO_SCROLL, ENOUGH_TO_SCROLL + 3)))
        expect(back).to_have_text("Jump to live (3 new)")
        assert viewer.locator("[data-transcript]").evaluate("(element) => element.scrollTop") == top
        back.click()
        expect(back).to_be_hidden()
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL + 2}.")).to_be_in_viewport()

    def test_a_line_that_is_read_stays_while_others_change(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(*(caption(number, speaker="S1") for number in range(1, ENOUGH_TO_SCROLL)))
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL - 1}.")).to_be_in_viewport()
        viewer.locator("[data-transcript]").hover()
        viewer.mouse.wheel(0, -200)
        expect(viewer.locator("[data-to-live]")).to_be_visible()
        segment, place = first_line(viewer)
        assert int(segment) > 14
        server.say(
            caption(2, "word " * 300, seq=201, revision=1, speaker="S1"),
            *(caption(number, "", seq=202 + number, revision=1) for number in range(5, 15)),
            speaker(1, "Ana Maria Quintela de Albuquerque e Castro", seq=301),
            notice("catching_up"),
            caption(90, seq=302),
        )
        expect(viewer.locator("[data-to-live]")).to_have_text("Jump to live (1 new)")
        assert place_of(viewer, segment) == (segment, pytest.approx(place, abs=1))

    def test_a_notice_that_goes_does_not_move_what_is_read_at_the_very_top(
        self, viewer: Page, server: ScriptedServer
    ) -> None:
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)), notice("paused"))
        expect(viewer.locator("[data-notice]")).to_be_visible()
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL - 1}.")).to_be_in_viewport()
        viewer.locator("[data-transcript]").hover()
        viewer.mouse.wheel(0, -9_000)
        expect(shown(viewer, "This is caption number 1.")).to_be_in_viewport()
        segment, place = first_line(viewer)
        for state in ("live", "paused", "live"):
            server.say(notice(state))
            expect(viewer.locator("[data-notice]")).to_be_visible(visible=state == "paused")
            viewer.evaluate(STILL)
            assert place_of(viewer, segment) == (segment, pytest.approx(place, abs=1))
        viewer.locator("[data-to-live]").click()
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL - 1}.")).to_be_in_viewport()

    def test_text_that_grows_faster_than_it_scrolls_is_still_followed(
        self, viewer: Page, server: ScriptedServer
    ) -> None:
        """A browser tells that it has scrolled a moment later, when more may stand below."""
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)))
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL - 1}.")).to_be_in_viewport()
        viewer.locator("[data-transcript]").evaluate(
            """(scroller) => {
                scroller.querySelector("[data-captions]").append("word ".repeat(2000));
                scroller.dispatchEvent(new Event("scroll"));
            }"""
        )
        server.say(caption(ENOUGH_TO_SCROLL + 5))
        expect(shown(viewer, f"This is caption number {ENOUGH_TO_SCROLL + 5}.")).to_be_in_viewport()
        expect(viewer.locator("[data-to-live]")).to_be_hidden()

    def test_steady_shows_finals_only_and_is_remembered(
        self, viewer: Page, server: ScriptedServer, module_server: str
    ) -> None:
        viewer.get_by_text("Appearance").click()
        viewer.get_by_label("Steady").check()
        server.say(partial(1, "good mor"))
        server.say(caption(2, "Yes."), partial(3, "and"))
        expect(shown(viewer, "Yes.")).to_be_visible()
        assert viewer.locator("[data-captions] .partial").count() == 0
        viewer.reload()
        expect(viewer.get_by_label("Steady")).to_be_checked()

    def test_size_and_colours_come_from_the_panel_or_the_link(
        self, viewer: Page, server: ScriptedServer, module_server: str
    ) -> None:
        server.say(caption(1, "Good morning."))
        text = shown(viewer, "Good morning.")
        usual = text.evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)")
        viewer.get_by_text("Appearance").click()
        viewer.get_by_label("Text size").fill("200")
        assert text.evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)") == 2 * usual
        ScriptedServer(viewer).open_viewer(module_server, query="size=50&theme=contrast")
        assert viewer.locator("html").get_attribute("data-theme") == "contrast"
        expect(viewer.locator("[data-size-output]")).to_have_text("50 %")

    def test_screen_readers_get_new_finals_when_asked(
        self, page: Page, module_server: str, server: ScriptedServer
    ) -> None:
        server.open_viewer(module_server, query="announce=1")
        log = page.locator("[role=log]")
        expect(log).to_have_attribute("aria-live", "polite")
        server.say(hello(last_seq=2), caption(1, "Old."), caption(2, "Older."), partial(3, "new"), caption(3, "New."))
        expect(log.locator("p")).to_have_text(["New."])

    def test_screen_readers_are_left_alone_otherwise(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Good morning."))
        expect(shown(viewer, "Good morning.")).to_be_visible()
        assert viewer.locator("[role=log]").get_attribute("aria-live") == "off"
        assert viewer.locator("[role=log] p").count() == 0

    def test_overlay_keeps_three_lines_at_the_foot(
        self, page: Page, module_server: str, server: ScriptedServer
    ) -> None:
        server.open_viewer(module_server, query="overlay=1&background=transparent")
        server.say(hello(), *(caption(number) for number in range(1, 20)))
        last = shown(page, "This is caption number 19.")
        expect(last).to_be_in_viewport()
        assert len(finals(page)) == 8
        box, line = (
            page.locator("[data-transcript]").bounding_box(),
            last.evaluate("(element) => parseFloat(getComputedStyle(element).lineHeight)"),
        )
        assert box is not None
        assert box["height"] <= 3 * line + 1
        assert page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor") == "rgba(0, 0, 0, 0)"


class TestNotices:
    def test_a_pause_is_announced_with_its_length(self, viewer: Page, server: ScriptedServer) -> None:
        server.say({"type": "notice", "state": "summarizing", "message": "A summary is written.", "expected_s": 30})
        expect(viewer.locator("[data-notice]")).to_contain_text("A summary is written. about 30 s")
        server.say({"type": "notice", "state": "catching_up", "message": "Catching up.", "behind_s": 14.2})
        expect(viewer.locator("[data-notice]")).to_contain_text("Catching up. 14 s behind")
        server.say({"type": "notice", "state": "live", "message": "Captions are live.", "behind_s": 0.3})
        expect(viewer.locator("[data-notice]")).to_be_hidden()
        expect(viewer.locator("[data-connection]")).to_have_text("Live")


class TestConnection:
    def test_comes_back_where_it_was(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(caption(7, "Good morning."), partial(8, "and"))
        expect(viewer.locator("[data-captions] .partial")).to_be_visible()
        server.close(1012)
        expect(viewer.locator("[data-connection]")).to_have_text("Connection lost, trying again…")
        assert server.wait_for_socket(2)["after"] == "7"
        server.say(hello(last_seq=8), caption(8, "And so on."))
        expect(viewer.locator("[data-captions] .final")).to_have_text(["Good morning.", "And so on."])
        expect(viewer.locator("[data-connection]")).to_have_text("Live")
        assert viewer.locator("[data-captions] .partial").count() == 0

    @pytest.mark.parametrize(
        ("code", "words"),
        [(4401, "This link is no longer valid. Ask the host for a new one."), (4404, "This meeting no longer exists.")],
    )
    def test_does_not_try_again_in_vain(self, viewer: Page, server: ScriptedServer, code: int, words: str) -> None:
        viewer.clock.install()
        server.close(code)
        expect(viewer.locator("[data-notice]")).to_contain_text(words)
        viewer.clock.run_for(60_000)
        assert len(server.sockets) == 1

    def test_confirms_what_it_has_read(self, viewer: Page, server: ScriptedServer) -> None:
        server.say(*(caption(number) for number in range(1, 51)))
        expect(shown(viewer, "This is caption number 50.")).to_be_visible()
        assert {"type": "seen", "seq": 50} in server.received


class TestLayout:
    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_fits_the_window(self, viewer: Page, server: ScriptedServer, width: int) -> None:
        viewer.set_viewport_size({"width": width, "height": 640})
        server.say(caption(1, "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen " * 3))
        expect(viewer.locator("[data-captions] .final")).to_be_visible()
        viewer.locator(".bar summary").first.click()
        assert viewer.evaluate("document.documentElement.scrollWidth") <= width

    def test_targets_are_large_enough(self, viewer: Page) -> None:
        viewer.get_by_text("Appearance").click()
        small = viewer.evaluate(
            """() => [...document.querySelectorAll("button, summary, a, select, label:has(input), input[type=range]")]
                .filter((element) => element.checkVisibility() && !element.classList.contains("skip"))
                .filter((element) => element.getBoundingClientRect().height < 24)
                .map((element) => element.outerHTML)"""
        )
        assert small == []
