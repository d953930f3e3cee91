"""What pages say when something is not as usual: a host away, silence, an end, a second host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from meetings.models import Meeting, State
from tests.browser.accessibility import violations
from tests.browser.scripted import (
    Message,
    ScriptedIngest,
    caption,
    hello,
    ledger,
    notice,
    partial,
    ready,
    speaker,
    summary,
)
from tests.browser.steps import ask_to_end, start_captions
from tests.browser.test_summary import ACTION

OPENED_AT = datetime(2026, 11, 30, 9, tzinfo=UTC)
AWAY: Message = notice("host_away") | {"message": "The host is not connected. Captions continue when they are back."}
PUT_OFF = "The summary was put off: the model that writes it failed."
DUE = "The summary is being written and appears here by itself."


@pytest.fixture
def server(page: Page) -> ScriptedIngest:
    return ScriptedIngest(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedIngest) -> Page:
    page.clock.install(time=OPENED_AT)
    server.open_viewer(module_server)
    server.say(hello(), caption(1, speaker="S1"))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedIngest) -> Page:
    server.open_host(module_server)
    server.say(ready(), hello(state="waiting"))
    expect(page.locator("[data-connection]")).to_have_text("Ready to start")
    return page


def ended(*, summary_due: bool = False, **more: str) -> Message:
    return notice("ended") | {"summary_due": summary_due} | more


def figures(page: Page) -> list[str]:
    return page.locator("[data-figure]:visible").all_inner_texts()


def stop_clock(page: Page, server: ScriptedIngest) -> None:
    """From now on time passes by `let_pass` alone. The last word came just now."""
    page.clock.pause_at(OPENED_AT + timedelta(seconds=15))
    server.say(caption(1, "Good morning.", seq=2, revision=1, speaker="S1"))
    expect(page.locator("[data-captions] .final")).to_have_text("Good morning.")


def let_pass(page: Page, server: ScriptedIngest, seconds: int) -> None:
    """In steps, after each of which the page has heard from the server, as it does every ten seconds."""
    for left in range(seconds, 0, -9):
        page.clock.run_for(min(left, 9) * 1_000)
        server.say(speaker(1, f"Ana {left}"))
        expect(page.locator("[data-captions] .speaker")).to_have_text(f"Ana {left}")


def quiet(page: Page) -> Locator:
    return page.locator("[data-quiet]")


class TestViewer:
    def test_an_absent_host_is_told_and_its_return(self, viewer: Page, server: ScriptedIngest) -> None:
        stop_clock(viewer, server)
        server.say(AWAY)
        expect(viewer.locator("[data-connection]")).to_have_text("Host not connected")
        expect(viewer.locator("[data-notice]")).to_contain_text(AWAY["message"])
        let_pass(viewer, server, 30)
        expect(quiet(viewer)).to_be_hidden()
        server.say(notice("live"))
        expect(viewer.locator("[data-connection]")).to_have_text("Live")
        expect(viewer.locator("[data-notice]")).to_be_hidden()

    def test_twenty_seconds_without_speech_are_said_in_their_own_room(
        self, viewer: Page, server: ScriptedIngest
    ) -> None:
        stop_clock(viewer, server)
        text = viewer.locator("[data-captions] .final")
        place = (text.bounding_box() or {})["y"]
        let_pass(viewer, server, 19)
        expect(quiet(viewer)).to_be_hidden()
        server.say(partial(2, "and"))
        expect(viewer.locator("[data-captions] .partial")).to_be_visible()
        let_pass(viewer, server, 19)
        expect(quiet(viewer)).to_be_hidden()
        let_pass(viewer, server, 1)
        expect(quiet(viewer)).to_have_text("No speech for more than 20 seconds.")
        expect(quiet(viewer)).to_be_in_viewport()
        assert (text.bounding_box() or {})["y"] == place
        server.say(caption(2, "and so on."))
        expect(quiet(viewer)).to_be_hidden()
        let_pass(viewer, server, 21)
        expect(quiet(viewer)).to_be_visible()
        server.close(1012)
        expect(quiet(viewer)).to_be_hidden()

    def test_an_end_is_no_trouble_and_shows_ways_on(self, viewer: Page, server: ScriptedIngest) -> None:
        status, banner = viewer.locator("[data-connection]"), viewer.locator("[data-notice]")
        server.say(ended(summary_due=True))
        expect(banner.locator("[data-notice-text]")).to_have_text(f"The meeting has ended. {DUE}")
        expect(banner.get_by_role("link", name="Open transcript")).to_be_visible()
        assert violations(viewer) == []
        server.say(ended(summary_due=True, summary_trouble=PUT_OFF))
        expect(banner.locator("[data-notice-text]")).to_have_text(f"The meeting has ended. {PUT_OFF}")
        server.say(summary(1, ACTION))
        expect(banner.locator("[data-notice-text]")).to_have_text("The meeting has ended.")
        server.close(1012)
        server.wait_for_socket(2)
        expect(status).to_have_text("Ended")
        server.say(hello(state="ended", last_seq=200) | {"summary_due": True}, summary(1, ACTION, seq=150))
        expect(banner.locator("[data-notice-text]")).to_have_text(f"The meeting has ended. {DUE}")
        server.say(ended())
        expect(banner.locator("[data-notice-text]")).to_have_text("The meeting has ended.")
        server.close(4404)
        expect(status).to_have_attribute("data-state", "ended")

    def test_a_link_that_opens_nothing_any_more_is_told_in_a_sentence(
        self, viewer: Page, server: ScriptedIngest
    ) -> None:
        server.say({"type": "error", "code": "bad_token", "message": "This link is not or no longer valid."})
        server.close(4401)
        expect(viewer.locator("[data-connection]")).to_have_text("Not connected")
        expect(viewer.locator("[data-notice]")).to_contain_text("This link is not or no longer valid.")


class TestHost:
    def test_reads_nothing_that_is_meant_for_viewers(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        host.get_by_role("button", name="Pause").click()
        server.say(notice("paused"))
        expect(host.locator("[data-progress]")).to_have_text("Paused. The microphone is on, but nothing is captured.")
        expect(host.locator("[data-notice]")).to_be_hidden()
        server.close(4401)
        expect(host.get_by_role("alert")).to_contain_text("This page may no longer host the meeting.")
        expect(host.locator("[data-notice]")).to_be_hidden()

    def test_delay_is_shown_while_it_matters(self, host: Page, server: ScriptedIngest) -> None:
        behind = host.locator("[data-figure=behind]")
        server.say(notice("live"), ledger(captured_s=75.0, durable_s=75.0, captioned_s=63.0))
        expect(host.locator("[data-figure=captioned]")).to_have_text("1:03")
        expect(behind).to_be_hidden()
        server.say(notice("catching_up"))
        expect(behind).to_have_text("12 s")
        expect(behind).to_be_visible()

    def test_after_the_end_the_page_reads_on_until_the_last_summary(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(3)
        server.say(caption(1))
        ask_to_end(host)
        server.wait_for_word("end")
        server.say(ended(), ledger(captured_s=3.0, durable_s=3.0, captioned_s=3.0))
        server.close(1000)
        assert (server.wait_for_socket(2)["after"], "/ws/captions/" in server.sockets[1].url) == ("1", True)
        server.say(hello(state="ended", last_seq=1) | {"summary_due": True})
        finished = host.get_by_role("region", name="The meeting has ended")
        expect(finished.get_by_text(DUE)).to_be_visible()
        expect(host.locator("[data-connection]")).to_have_attribute("data-state", "ended")
        expect(host.get_by_role("region", name="Summary")).to_be_hidden()
        server.say(summary(1, ACTION), ended())
        expect(finished.get_by_text(DUE)).to_be_hidden()
        expect(host.get_by_role("region", name="Summary")).to_be_visible()
        assert figures(host) == ["0:03", "0:03", "0:03", "0 s"]
        assert violations(host) == []

    def test_a_reload_after_the_end_shows_the_same_figures(
        self, page: Page, module_server: str, server: ScriptedIngest
    ) -> None:
        server.open_host(module_server, is_ended=True, captioned_s=52.0)
        server.say(hello(state="ended"))
        expect(page.get_by_role("heading", name="The meeting has ended")).to_be_visible()
        assert figures(page) == ["0:52", "0:52", "0:52", "0 s"]
        expect(page.locator("[data-connection]")).to_have_text("Ended")

    def test_a_second_page_is_told_what_to_do(self, host: Page, server: ScriptedIngest) -> None:
        server.say({"type": "error", "code": "another_host", "message": "Another host is live in this meeting."})
        server.close(4409)
        elsewhere = host.get_by_role("status").filter(has_text="Another page is hosting this meeting")
        expect(elsewhere).to_contain_text("the other page then stops listening")
        expect(elsewhere.get_by_role("link", name="Read as a viewer")).to_be_visible()
        expect(host.get_by_role("button", name="Start captions")).to_be_hidden()
        expect(host.get_by_label("Spoken language")).to_be_hidden()
        expect(host.get_by_role("alert")).to_be_hidden()
        assert violations(host) == []
        elsewhere.get_by_role("button", name="Take over here").click()
        server.wait_for_socket(2)
        expect(elsewhere).to_be_hidden()
        expect(host.get_by_role("button", name="Start captions")).to_be_focused()

    def test_before_the_first_word_there_is_nothing_to_sum_up(self, host: Page, server: ScriptedIngest) -> None:
        server.say(notice("live"))
        expect(host.locator("[data-connection]")).to_have_text("Live")
        expect(host.get_by_role("button", name="Summarise now")).to_be_disabled()
        server.say(caption(1))
        expect(host.get_by_role("button", name="Summarise now")).to_be_enabled()


class TestOverlay:
    @pytest.fixture
    def overlay(self, page: Page, module_server: str, server: ScriptedIngest) -> Page:
        page.clock.install(time=OPENED_AT)
        page.emulate_media(color_scheme="light")
        server.open_viewer(module_server, query="overlay=1")
        server.say(hello(speakers=(speaker(1, "Ana"),)), caption(1, speaker="S1"))
        expect(page.locator("[data-captions] .final")).to_be_visible()
        return page

    def test_is_dark_unless_its_link_says_otherwise(
        self, overlay: Page, module_server: str, server: ScriptedIngest
    ) -> None:
        assert overlay.locator("html").get_attribute("data-theme") == "dark"
        server.open_viewer(module_server, query="overlay=1&theme=light")
        assert overlay.locator("html").get_attribute("data-theme") == "light"

    def test_shows_a_small_sign_when_the_host_or_the_link_is_lost_and_at_the_end(
        self, overlay: Page, server: ScriptedIngest
    ) -> None:
        sign = overlay.locator("[data-connection]")
        expect(sign).to_be_hidden()
        server.say(AWAY)
        expect(sign).to_have_text("Host not connected")
        expect(sign).to_be_visible()
        expect(overlay.locator("[data-notice]")).to_be_hidden()
        server.close(1012)
        expect(sign).to_have_text("Connection lost, trying again…")
        server.wait_for_socket(2)
        server.say(hello(state="live"))
        expect(sign).to_be_hidden()
        server.say(ended())
        expect(sign).to_have_text("Ended")
        expect(sign).to_be_visible()

    def test_words_go_after_eight_seconds_of_silence(self, overlay: Page, server: ScriptedIngest) -> None:
        stop_clock(overlay, server)
        overlay.clock.run_for(7_900)
        expect(overlay.locator("[data-transcript]")).not_to_have_attribute("data-old", "true")
        overlay.clock.run_for(200)
        expect(overlay.locator("[data-transcript]")).to_have_attribute("data-old", "true")
        overlay.clock.run_for(1_000)
        expect(overlay.locator("[data-captions] .final")).to_have_count(0)
        server.say(caption(9, "Shall we begin?"), caption(10, "Yes."))
        expect(overlay.locator("[data-captions] .final")).to_have_text(["Shall we begin?", "Yes."])
        expect(overlay.locator("[data-transcript]")).to_have_attribute("data-old", "false")

    def test_a_long_turn_keeps_its_name(self, overlay: Page, server: ScriptedIngest) -> None:
        name = overlay.locator("[data-turn]")
        expect(name).to_be_hidden()
        server.say(caption(2, "word " * 40, speaker="S1"))
        expect(name).to_have_text("Ana")
        server.say(speaker(1, "Ana Quintela"))
        expect(name).to_have_text("Ana Quintela")
        server.say(caption(3, "Yes. " * 40, speaker="S2"))
        expect(name).to_have_text("Speaker 2")


def test_the_list_learns_that_a_host_is_away(page: Page, module_server: str, server: ScriptedIngest) -> None:
    meetings = [
        Meeting(pk=pk, title=pk, state=state, created_at=OPENED_AT)
        for pk, state in (("a", State.LIVE), ("b", State.WAITING), ("c", State.ENDED))
    ]
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("?")[2])
        route.fulfill(json={"a": {"state": "host_away", "words": "Host not connected"}})

    page.clock.install(time=OPENED_AT)
    page.route("**/states?**", answer)
    server.open_list(module_server, meetings=tuple(meetings))
    page.clock.run_for(2_000)
    expect(page.locator("[data-meeting=a]")).to_have_text("Host not connected")
    expect(page.locator("[data-meeting]")).to_have_text(["Host not connected", "Not started", "Ended"])
    assert asked[0] == "id=a&id=b"
