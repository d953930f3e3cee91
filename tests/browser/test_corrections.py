"""What the host knows better than the models: names, who is who, who said a line, and the language."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.scripted import POLL_MS, Message, ScriptedServer, caption, hello, ledger, ready, speaker

ANA, BEN = speaker(1, "Ana"), speaker(2)


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_host(module_server)
    server.say(ready(), hello(speakers=(ANA, BEN)))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def wait_for(server: ScriptedServer, message: Message) -> None:
    while message not in server.received:
        server.page.wait_for_timeout(POLL_MS)


def sent(server: ScriptedServer, kind: str) -> list[Message]:
    return [message for message in server.received if isinstance(message, dict) and message["type"] == kind]


def name_field(page: Page, name: str) -> Locator:
    return page.get_by_label(f"Name of {name}")


class TestSpeakers:
    def test_a_row_for_each_with_name_and_last_line(self, host: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Hello.", speaker="S1"), caption(2, "Hi.", speaker="S2"), caption(3, "So.", speaker="S2"))
        rows = host.locator("[data-speaker-list] li")
        expect(rows.locator("[data-speaker-line]")).to_have_text(["Hello.", "So."])
        assert rows.locator("input").evaluate_all("(all) => all.map((input) => [input.value, input.placeholder])") == [
            ["Ana", "Speaker 1"],
            ["", "Speaker 2"],
        ]

    @pytest.mark.parametrize("key", ["Enter", "Tab"])
    def test_a_name_is_saved_by_enter_or_by_leaving(self, host: Page, server: ScriptedServer, key: str) -> None:
        name_field(host, "Speaker 2").fill("  Benedita ")
        host.keyboard.press(key)
        wait_for(server, {"type": "rename_speaker", "speaker": "S2", "name": "Benedita"})
        server.say(speaker(2, "Benedita", seq=1), caption(2, speaker="S2"))
        expect(host.locator(".transcript .speaker")).to_have_text("Benedita")
        expect(name_field(host, "Benedita")).to_have_value("Benedita")

    def test_what_comes_from_elsewhere_does_not_write_over_what_is_typed(
        self, host: Page, server: ScriptedServer
    ) -> None:
        name_field(host, "Speaker 2").fill("Bene")
        server.say(speaker(3, "Carla"), speaker(2, "Bento"))
        expect(name_field(host, "Carla")).to_have_value("Carla")
        expect(name_field(host, "Bento")).to_have_value("Bene")
        expect(name_field(host, "Bento")).to_be_focused()

    def test_one_person_that_was_taken_for_two(self, host: Page, server: ScriptedServer) -> None:
        questions: list[str] = []
        host.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.dismiss()))
        merge = host.get_by_label("Speaker 2 is the same person as")
        merge.select_option("Ana")
        host.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.accept()))
        merge.select_option("Ana")
        wait_for(server, {"type": "merge_speakers", "speaker": "S2", "into": "S1"})
        assert len(sent(server, "merge_speakers")) == 1
        assert questions == ["Are Speaker 2 and Ana the same person? They become one; this cannot be undone."] * 2
        server.say(speaker(2, seq=1, merged_into="S1"))
        expect(host.locator("[data-speaker-list] li")).to_have_count(1)
        expect(host.get_by_label("Ana is the same person as")).to_be_hidden()

    def test_how_many_people_speak(self, host: Page, server: ScriptedServer) -> None:
        count = host.get_by_label("How many people speak?")
        for value in ("3", "99", ""):
            count.fill(value)
            count.press("Enter")
        wait_for(server, {"type": "expect_speakers", "count": None})
        assert [message["count"] for message in sent(server, "expect_speakers")] == [3, None]

    def test_what_cannot_be_saved_is_said_and_taken_back(self, host: Page, server: ScriptedServer) -> None:
        answer = host.locator("[data-speaker-answer]")
        server.say({"type": "error", "code": "unfit_correction", "message": "The correction was not made."})
        expect(answer).to_have_text("The correction was not made.")
        server.close(1012)
        expect(host.locator("[data-connection]")).to_have_text("Connection lost, trying again…")
        name_field(host, "Ana").fill("Eva")
        host.keyboard.press("Tab")
        expect(answer).to_have_text("There is no connection: this was not saved.")
        expect(name_field(host, "Ana")).to_have_value("Ana")

    def test_a_name_is_text_whatever_it_holds(self, host: Page, server: ScriptedServer) -> None:
        name = "<img src=x onerror=alert(1)>"
        server.say(speaker(2, name), caption(1, speaker="S2"))
        expect(host.locator(".transcript .speaker")).to_have_text(name)
        host.locator(".transcript .speaker").click()
        expect(host.get_by_role("heading", name="Who said it?")).to_be_visible()
        assert host.locator("main img:not([alt])").count() == 0


class TestLines:
    @pytest.fixture
    def read(self, host: Page, server: ScriptedServer) -> Page:
        server.say(caption(1, "Hello.", speaker="S1"), caption(2, "Hi.", speaker="S1"), caption(3, unsure=True))
        expect(host.locator("[data-captions] p")).to_have_count(2)
        return host

    def test_a_line_goes_to_somebody_else(self, read: Page, server: ScriptedServer) -> None:
        read.locator("[data-captions]").get_by_text("Hi.").click()
        choice = read.get_by_label("Hi.")
        expect(choice).to_be_focused()
        assert choice.locator("option").all_inner_texts() == ["Ana", "Speaker 2"]
        choice.select_option("Speaker 2")
        read.get_by_role("button", name="Save").click()
        wait_for(server, {"type": "assign_speaker", "segment": "00000002", "speaker": "S2"})
        assert len(sent(server, "assign_speaker")) == 1

    def test_the_keyboard_does_it_too(self, read: Page, server: ScriptedServer) -> None:
        label = read.locator(".transcript .speaker").nth(1)
        label.focus()
        read.keyboard.press("Enter")
        choice = read.get_by_label("This is caption number 3.")
        expect(choice).to_be_focused()
        assert choice.locator("option").all_inner_texts() == ["Unknown speaker", "Ana", "Speaker 2"]
        read.keyboard.press("ArrowDown")
        read.keyboard.press("Tab")
        expect(read.get_by_role("button", name="Save")).to_be_focused()
        read.keyboard.press("Enter")
        wait_for(server, {"type": "assign_speaker", "segment": "00000003", "speaker": "S1"})
        expect(label).to_be_focused()

    def test_after_the_meeting_nothing_can_be_corrected(self, read: Page, server: ScriptedServer) -> None:
        server.say({"type": "notice", "state": "ended", "message": "The meeting has ended."})
        expect(read.get_by_role("heading", name="Speakers")).to_be_hidden()
        read.locator("[data-captions]").get_by_text("Hi.").click()
        expect(read.get_by_role("heading", name="Who said it?")).to_be_hidden()

    def test_escape_changes_nothing(self, read: Page, server: ScriptedServer) -> None:
        read.locator("[data-captions]").get_by_text("Hi.").click()
        read.get_by_label("Hi.").select_option("Speaker 2")
        read.keyboard.press("Escape")
        expect(read.get_by_role("heading", name="Who said it?")).to_be_hidden()
        assert sent(server, "assign_speaker") == []

    def test_a_name_keeps_the_focus_when_paragraphs_are_cut_anew(self, read: Page, server: ScriptedServer) -> None:
        read.locator(".transcript .speaker").first.focus()
        server.say(caption(2, "Hi.", seq=4, revision=1, speaker="S2"))
        expect(read.locator("[data-captions] p")).to_have_count(3)
        expect(read.locator(".transcript .speaker").first).to_be_focused()


class TestLanguage:
    def test_the_host_says_what_is_spoken(self, host: Page, server: ScriptedServer) -> None:
        language = host.get_by_label("Spoken language")
        expect(language).to_have_value("en")
        language.select_option("auto")
        wait_for(server, {"type": "set_language", "language": "auto"})
        language.blur()
        pending = host.locator("[data-spoken-pending]")
        server.say(ledger(durable_s=61.0))
        expect(host.locator("[data-figure=durable]")).to_have_text("1:01")
        expect(language).to_have_value("auto")
        expect(pending).to_have_text("This holds from here on, once everything said before is captioned.")
        server.say(ledger(language="auto"))
        expect(pending).to_have_text("")
        server.say(ledger(language="pt"))
        expect(language).to_have_value("pt")

    def test_asks_once_where_another_is_heard(self, host: Page, server: ScriptedServer) -> None:
        question = host.locator("[data-spoken-question]")
        server.say(ledger(detected_language="pt"))
        expect(question).to_have_text("This sounds like Portuguese. Switch?")
        host.get_by_role("button", name="Keep English").click()
        expect(question).to_have_text("")
        server.say(ledger(detected_language="pt"), ledger(detected_language="pt", durable_s=61.0))
        expect(host.locator("[data-figure=durable]")).to_have_text("1:01")
        expect(host.get_by_role("button", name="Switch to Portuguese")).to_be_hidden()
        server.say(ledger(detected_language="es"))
        expect(question).to_have_text("This sounds like Spanish. Switch?")
        assert sent(server, "set_language") == []

    def test_switches_at_a_click(self, host: Page, server: ScriptedServer) -> None:
        server.say(ledger(detected_language="pt"))
        host.get_by_role("button", name="Switch to Portuguese").click()
        wait_for(server, {"type": "set_language", "language": "pt"})
        expect(host.get_by_label("Spoken language")).to_have_value("pt")
        expect(host.get_by_role("button", name="Switch to Portuguese")).to_be_hidden()

    def test_the_question_goes_when_the_doubt_does(self, host: Page, server: ScriptedServer) -> None:
        server.say(ledger(detected_language="pt"))
        expect(host.locator("[data-spoken-question]")).not_to_have_text("")
        server.say(ledger())
        expect(host.locator("[data-spoken-question]")).to_have_text("")
