"""The host's card for summaries: now, not now, how often, and the newest one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from meetings.models import Meeting
from tests.browser import scripted
from tests.browser.scripted import ScriptedServer, caption, hello, summary
from tests.browser.test_corrections import sent, wait_for
from tests.browser.test_host import notice, ready
from tests.browser.test_summary import ACTION, ANA, BEN, DECISION, ENOUGH_TO_SCROLL, TOPIC, line, way_to


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_host(module_server)
    server.say(ready(), hello(speakers=(ANA, BEN)), caption(1))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


@pytest.fixture
def every_two_minutes() -> Iterator[None]:
    kept = scripted.MEETING
    scripted.MEETING = Meeting(pk=kept.pk, title=kept.title, summary_every_s=120)
    yield
    scripted.MEETING = kept


class TestHost:
    def test_asks_for_one_and_reads_it(self, host: Page, server: ScriptedServer) -> None:
        now, answer = host.get_by_role("button", name="Summarise now"), host.locator("[data-summary-answer]")
        now.click()
        wait_for(server, {"type": "summarize"})
        expect(now).to_be_disabled()
        expect(answer).to_have_text("The summary will be written at the next pause in speech.")
        server.say(notice("summarizing"))
        expect(answer).to_have_text("")
        server.say(summary(1, ACTION), notice("catching_up"), notice("live"))
        expect(now).to_be_enabled()
        expect(host.locator("[data-summary-items] .cited-item")).to_have_text("Book the room.")
        assert len(sent(server, "summarize")) == 1

    def test_an_item_leads_to_its_caption(self, host: Page, server: ScriptedServer) -> None:
        server.say(*(caption(number) for number in range(1, ENOUGH_TO_SCROLL)), summary(1, DECISION))
        way_to(host, "The budget is fixed.").click()
        expect(line(host, 2)).to_be_focused()
        expect(line(host, 2)).to_be_in_viewport()

    def test_nothing_new_is_said_and_can_be_asked_again(self, host: Page, server: ScriptedServer) -> None:
        now = host.get_by_role("button", name="Summarise now")
        now.click()
        server.say({"type": "error", "code": "nothing_new", "message": "There is nothing new to summarise."})
        expect(host.locator("[data-summary-answer]")).to_have_text("There is nothing new to summarise.")
        expect(now).to_be_enabled()
        expect(host.get_by_role("button", name="Skip this summary")).to_be_hidden()

    def test_not_now_is_there_while_one_is_to_come(self, host: Page, server: ScriptedServer) -> None:
        later = host.get_by_role("button", name="Skip this summary")
        expect(later).to_be_hidden()
        host.get_by_role("button", name="Summarise now").click()
        later.click()
        wait_for(server, {"type": "not_now"})
        expect(later).to_be_hidden()
        expect(host.locator("[data-summary-answer]")).to_have_text("No summary for the next five minutes.")
        expect(host.get_by_role("button", name="Summarise now")).to_be_enabled()
        host.get_by_label("Automatic").select_option("Every 5 minutes")
        expect(later).to_be_visible()
        server.say(notice("summarizing"))
        expect(later).to_be_hidden()
        expect(host.get_by_role("button", name="Summarise now")).to_be_disabled()

    def test_an_interval_is_saved_at_once(self, host: Page, server: ScriptedServer) -> None:
        interval = host.get_by_label("Automatic")
        expect(interval).to_have_value("")
        choices = ["Off", "Every 5 minutes", "Every 10 minutes", "Every 15 minutes", "Every 30 minutes"]
        assert interval.locator("option").all_inner_texts() == choices
        for value in ("300", "1800", ""):
            interval.select_option(value)
        wait_for(server, {"type": "summary_every", "seconds": None})
        assert [message["seconds"] for message in sent(server, "summary_every")] == [300, 1800, None]

    @pytest.mark.usefixtures("every_two_minutes")
    def test_an_interval_from_elsewhere_is_shown(self, page: Page, module_server: str, server: ScriptedServer) -> None:
        server.open_host(module_server)
        interval = page.get_by_label("Automatic")
        expect(interval).to_have_value("120")
        assert interval.locator("option").last.inner_text() == "Every 120 s"

    def test_without_a_connection_nothing_is_promised(self, host: Page, server: ScriptedServer) -> None:
        server.close(1012)
        expect(host.get_by_role("button", name="Summarise now")).to_be_disabled()
        host.get_by_label("Automatic").select_option("Every 5 minutes")
        expect(host.locator("[data-summary-answer]")).to_have_text("There is no connection: this was not saved.")
        expect(host.get_by_label("Automatic")).to_have_value("")

    def test_after_the_meeting_it_is_only_read(self, host: Page, server: ScriptedServer) -> None:
        server.say(summary(1, TOPIC), notice("ended"))
        expect(host.get_by_role("button", name="Summarise now")).to_be_hidden()
        expect(host.get_by_label("Automatic")).to_be_hidden()
        expect(way_to(host, TOPIC["text"])).to_be_visible()
