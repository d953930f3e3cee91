"""Who said it, on the viewer page: names in text and colour, labels that come later, paragraphs that do not jump."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from meetings.models import SPEAKER_COLORS
from tests.browser.scripted import Message, ScriptedServer, caption, hello, speaker

ANA, BEN = speaker(1, "Ana"), speaker(2)


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def viewer(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_viewer(module_server)
    server.say(hello(speakers=(ANA, BEN)))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def paragraphs(page: Page) -> list[str]:
    """Each paragraph as it is read, line by line, without its time."""
    texts = page.locator("[data-captions] p").all_inner_texts()
    return [" | ".join(text.split(maxsplit=1)[1].splitlines()) for text in texts]


def test_a_paragraph_for_each_turn_with_the_name_in_text(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Hello.", speaker="S1"), caption(2, "Hi.", speaker="S2"), caption(3, "Well?", speaker="S2"))
    server.say(caption(4, "Nobody knows.", unsure=True), caption(5, "Yes.", speaker="S1"))
    expect(viewer.locator("[data-captions] .final")).to_have_count(5)
    assert paragraphs(viewer) == ["Ana Hello.", "Speaker 2 Hi. | Well?", "Unknown speaker Nobody knows.", "Ana Yes."]
    colours = viewer.locator(".speaker").evaluate_all("(all) => all.map((label) => label.dataset.color)")
    assert colours == ["1", "2", "0", "1"]


def test_a_name_stands_once_a_turn(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Hello.", speaker="S1"), caption(4, "Well?", speaker="S1"), caption(8, "Hi.", speaker="S2"))
    server.say(caption(10, "Nobody knows yet."), caption(11, "Yes.", speaker="S2"))
    expect(viewer.locator("[data-captions] .final")).to_have_count(5)
    assert paragraphs(viewer) == ["Ana Hello.", "Well?", "Speaker 2 Hi.", "Nobody knows yet.", "Speaker 2 Yes."]
    server.say(caption(10, "Somebody knows.", seq=12, revision=1, speaker="S2"))
    expect(viewer.locator(".speaker")).to_have_count(2)
    assert paragraphs(viewer)[2:] == ["Speaker 2 Hi.", "Somebody knows. | Yes."]


def test_who_is_not_told_yet_goes_on_in_the_paragraph(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Hello.", speaker="S1"), caption(2, "I am Ana."), caption(3, "Hi."))
    expect(viewer.locator("[data-captions] .final")).to_have_count(3)
    assert paragraphs(viewer) == ["Ana Hello. | I am Ana. | Hi."]
    place = viewer.get_by_text("I am Ana.").bounding_box()
    server.say(caption(2, "I am Ana.", seq=4, revision=1, speaker="S1"))
    server.say(caption(3, "Hi.", seq=5, revision=1, speaker="S2"))
    expect(viewer.locator("[data-captions] p")).to_have_count(2)
    assert paragraphs(viewer) == ["Ana Hello. | I am Ana.", "Speaker 2 Hi."]
    assert viewer.get_by_text("I am Ana.").bounding_box() == place


def test_a_paragraph_that_began_without_a_name_gets_it(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Hello."), caption(2, "I am Ana."))
    expect(viewer.locator("[data-captions] .final")).to_have_count(2)
    assert paragraphs(viewer) == ["Hello. | I am Ana."]
    server.say(caption(1, "Hello.", seq=3, revision=1, speaker="S1"))
    expect(viewer.locator(".speaker")).to_have_text("Ana")
    assert paragraphs(viewer) == ["Ana Hello. | I am Ana."]


def test_a_caption_of_two_speakers_is_split_in_its_place(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Are you there? Yes."), caption(2, "Good.", speaker="S1"))
    server.say(caption(1, "Are you there?", seq=3, revision=1, speaker="S1", end=4.5))
    server.say(caption(1, "Yes.", seq=4, segment="00000001.1", speaker="S2", start=4.5))
    expect(viewer.locator("[data-captions] p")).to_have_count(3)
    assert paragraphs(viewer) == ["Ana Are you there?", "Speaker 2 Yes.", "Ana Good."]
    server.say(caption(1, "", seq=5, segment="00000001.1", revision=1, start=4.5))
    server.say(caption(1, "Are you there? Yes.", seq=6, revision=2, speaker="S1"))
    expect(viewer.locator("[data-captions] p")).to_have_count(1)
    assert paragraphs(viewer) == ["Ana Are you there? Yes. | Good."]


def test_a_new_name_is_everywhere_at_once(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, speaker="S2"), caption(2, speaker="S1"), caption(5, speaker="S2"))
    expect(viewer.locator(".speaker")).to_have_text(["Speaker 2", "Ana", "Speaker 2"])
    server.say(speaker(2, "Benedita", seq=6))
    expect(viewer.locator(".speaker")).to_have_text(["Benedita", "Ana", "Benedita"])
    server.close(1012)
    assert server.wait_for_socket(2)["after"] == "6"


def test_one_person_that_was_taken_for_two(viewer: Page, server: ScriptedServer) -> None:
    server.say(caption(1, "Hello.", speaker="S1"), caption(2, "Well?", speaker="S2"))
    expect(viewer.locator("[data-captions] p")).to_have_count(2)
    server.say(speaker(2, seq=3, merged_into="S1"))
    expect(viewer.locator(".speaker")).to_have_text(["Ana", "Ana"])
    server.say(caption(2, "Well?", seq=4, revision=1, speaker="S1"))
    expect(viewer.locator("[data-captions] p")).to_have_count(1)
    assert paragraphs(viewer) == ["Ana Hello. | Well?"]


def test_a_name_is_text_whatever_it_holds(viewer: Page, server: ScriptedServer) -> None:
    name = "<img src=x onerror=alert(1)>"
    server.say(caption(1, speaker="S1"), speaker(1, name, seq=2))
    expect(viewer.locator(".speaker")).to_have_text(name)
    assert viewer.locator("[data-captions] img").count() == 0


def test_every_colour_of_the_meeting_has_a_shade_of_its_own(viewer: Page, server: ScriptedServer) -> None:
    numbers = range(1, len(SPEAKER_COLORS) + 1)
    server.say(*(speaker(number) for number in numbers), *(caption(n, speaker=f"S{n}") for n in numbers))
    labels = viewer.locator(".speaker")
    expect(labels).to_have_count(len(SPEAKER_COLORS))
    shades = labels.evaluate_all("(all) => all.map((label) => getComputedStyle(label).color)")
    assert len(set(shades)) == len(SPEAKER_COLORS)


class TestAnnouncement:
    @pytest.fixture
    def announced(self, page: Page, module_server: str, server: ScriptedServer) -> Page:
        """Told to a screen reader."""
        server.open_viewer(module_server, query="announce=1")
        server.say(hello(speakers=(ANA, BEN), languages=("en", "pt")))
        return page

    def test_a_name_is_said_when_it_changes(self, announced: Page, server: ScriptedServer) -> None:
        server.say(caption(1, "Hello.", speaker="S1"), caption(2, "Well?", speaker="S1"))
        server.say(caption(3, "Hi.", speaker="S2"))
        expect(announced.locator("[role=log] p")).to_have_text(["Ana: Hello.", "Well?", "Speaker 2: Hi."])

    def test_a_caption_waits_for_its_name_but_not_for_ever(self, announced: Page, server: ScriptedServer) -> None:
        """Milliseconds pass only where the test says so."""
        announced.clock.install(time=0)
        announced.clock.pause_at(1_000)
        said = announced.locator("[role=log] p")
        server.say(caption(1, "Hello. Hi."), caption(2, "Well?"))
        expect(announced.locator("[data-captions] .final")).to_have_count(2)
        assert said.count() == 0
        server.say(caption(1, "Hello.", seq=3, revision=1, speaker="S1", end=4.0))
        server.say(caption(1, "Hi.", seq=4, segment="00000001.1", speaker="S2", start=4.0))
        expect(announced.locator("[data-captions] .final")).to_have_count(3)
        announced.clock.run_for(400)
        expect(said).to_have_text(["Ana: Hello.", "Speaker 2: Hi."])
        announced.clock.run_for(4_000)
        expect(said).to_have_text(["Ana: Hello.", "Speaker 2: Hi.", "Well?"])

    def test_clauses_of_an_open_caption_are_said_as_they_come(self, announced: Page, server: ScriptedServer) -> None:
        said = announced.locator("[role=log] p")

        def sealed(text: str, seq: int, **more: object) -> Message:
            return caption(1, text, seq=seq, revision=seq, speaker="S1", **more)

        server.say(sealed("When is a lobster,", 1, open=True))
        expect(said).to_have_text(["Ana: When is a lobster,"])
        server.say(sealed("When is a lobster, one asks, not", 2, open=True))
        expect(said).to_have_text(["Ana: When is a lobster,", "one asks,"])
        server.say(caption(1, "a lobster?", seq=3, segment="00000001.1", speaker="S2", start=5.0))
        server.say(sealed("When is a lobster, one asks, not", 4))
        expect(said).to_have_text(["Ana: When is a lobster,", "one asks,", "not", "Speaker 2: a lobster?"])

    def test_a_translation_is_waited_for(self, announced: Page, server: ScriptedServer) -> None:
        announced.get_by_label("Caption language").select_option("pt")
        server.say(caption(1, "Hello.", speaker="S1"))
        expect(announced.locator("[data-captions] .final")).to_have_text("Hello.")
        translation = {"language": "pt", "text": "Olá."}
        server.say(caption(1, "Hello.", seq=2, revision=1, speaker="S1", translation=translation))
        expect(announced.locator("[role=log] p")).to_have_text(["Ana: Olá."])
        assert announced.locator("[role=log] span").get_attribute("lang") == "pt"
