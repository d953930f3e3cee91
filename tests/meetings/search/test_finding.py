"""What was said is found, wherever it stands and whatever database holds it, and no longer once it is gone."""

from __future__ import annotations

import unicodedata

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meetings.models import Caption, Meeting, Summary, Translation
from meetings.search.finding import about, ensure_index, find, saying, summing_up, terms_of
from meetings.search.index import TextKind
from meetings.search.snippets import Piece, snippet
from tests.meetings.admin.test_admin import make_meeting

pytestmark = pytest.mark.django_db


def found(query: str) -> list[tuple[TextKind, str]]:
    return [(hit.kind, "".join(piece.text for piece in hit.pieces)) for hit in find(query, limit=9)]


@pytest.fixture
def meeting() -> Meeting:
    return make_meeting("Planning", "The budget is fixed.", "Nothing of that, João.")


def test_the_beginning_of_a_word_with_or_without_accents_is_enough(meeting: Meeting) -> None:
    assert found("budg") == found("BUDGET") == found("fixed, budget!") == [(TextKind.CAPTION, "The budget is fixed.")]
    assert found("joao") == found("JOÃO") == [(TextKind.CAPTION, "Nothing of that, João.")]
    assert found("budget nothing") == found("udget") == found("") == found("…") == []


def test_translations_and_summaries_are_searched_too(meeting: Meeting) -> None:
    caption = meeting.captions.earliest("start")
    Translation.objects.create(caption=caption, language="pt", text="O orçamento está fechado.")
    summary = Summary.objects.create(
        meeting=meeting,
        seq=9,
        from_s=0.0,
        to_s=60.0,
        language="en",
        text="Money",
        items=[{"kind": "decision", "text": "Ana signs.", "owner": None, "segments": ["0"]}],
        translations={"pt": {"text": "Dinheiro", "items": ["A Ana assina."]}},
    )
    assert found("orcamento") == [(TextKind.TRANSLATION, "O orçamento está fechado.")]
    assert found("money") == [(TextKind.SUMMARY, "Money")]
    assert found("assina") == [(TextKind.SUMMARY, "A Ana assina.")], "one wording, and none of the others"
    assert [hit.language for hit in find("assina", limit=9)] == ["pt"]
    assert found("decision") == [], "a kind is not what was said"
    assert list(Caption.objects.filter(saying("orcamento"))) == [caption]
    assert list(Summary.objects.filter(summing_up("signs"))) == [summary]
    for query in ("budget", "orçamento", "assina"):
        assert list(Meeting.objects.filter(about(query))) == [meeting]
    assert not Meeting.objects.filter(about("…")).exists()


def test_the_place_is_told(meeting: Meeting) -> None:
    [hit] = find("joao", limit=9)
    assert hit.caption is not None
    assert (hit.meeting, hit.caption.segment, hit.start, hit.language) == (meeting, "1", 1.0, "en")


def test_the_index_follows_every_change(meeting: Meeting) -> None:
    caption = meeting.captions.earliest("start")
    Caption.objects.filter(pk=caption.pk).update(text="The plan is fixed.")
    assert found("budget") == []
    assert found("plan") == [(TextKind.CAPTION, "The plan is fixed.")]
    Caption.objects.filter(pk=caption.pk).update(text="")
    assert found("plan") == []
    meeting.delete()
    assert found("nothing") == []


def test_what_says_it_more_comes_first() -> None:
    make_meeting("Planning", "the budget and many other words that were said that day", "budget", "no budget, budget")
    assert {text for _, text in found("budget")[:2]} == {"budget", "no budget, budget"}


@pytest.mark.django_db(transaction=True)
def test_a_table_rebuilt_by_a_migration_is_indexed_again(meeting: Meeting) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER meetings_caption_search_update")
        else:
            cursor.execute("DROP INDEX meetings_caption_search")
    Caption.objects.filter(segment="0").update(text="The plan is fixed.")
    call_command("migrate", verbosity=0)
    assert found("plan") == [(TextKind.CAPTION, "The plan is fixed.")]
    assert found("budget") == []
    Caption.objects.filter(segment="0").update(text="The budget is fixed.")
    assert found("plan") == []


def test_an_index_that_is_there_is_left_alone(meeting: Meeting) -> None:
    with CaptureQueriesContext(connection) as queries:
        ensure_index("default")
    assert not [query["sql"] for query in queries if "CREATE" in query["sql"]]
    assert found("budget") == [(TextKind.CAPTION, "The budget is fixed.")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
def test_no_query_is_obeyed(meeting: Meeting, query: str) -> None:
    find(query, limit=9)
    list(Meeting.objects.filter(about(query)))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(categories=["L", "Nd", "P", "Zs"], max_codepoint=0x24F), max_size=80))
def test_every_word_that_is_said_finds_its_line(meeting: Meeting, text: str) -> None:
    """Of European languages: the databases part others into words each in its own way."""
    caption = meeting.captions.earliest("start")
    Caption.objects.filter(pk=caption.pk).update(text=text)
    for term in terms_of(text):
        assert caption.pk in Caption.objects.filter(saying(term)).values_list("pk", flat=True)


class TestSnippet:
    def test_marks_words_and_makes_no_markup(self) -> None:
        assert snippet("<b>O  Orçamento</b>", ["orcam"]) == [
            Piece("<b>O ", is_marked=False),
            Piece("Orçamento", is_marked=True),
            Piece("</b>", is_marked=False),
        ]

    def test_shows_the_place_in_a_long_text(self) -> None:
        text = " ".join(f"word{number}" for number in range(200))
        shown = "".join(piece.text for piece in snippet(text, ["word100"]))
        assert shown.startswith("…word9")
        assert shown.endswith("…")
        assert "word100" in shown
        assert len(shown) <= 202

    @given(st.text(max_size=400), st.text(min_size=1, max_size=5))
    def test_shows_what_is_there(self, text: str, term: str) -> None:
        shown = "".join(piece.text for piece in snippet(text, [term]))
        assert shown.strip("…") in " ".join(unicodedata.normalize("NFC", text).split()) + "…"
