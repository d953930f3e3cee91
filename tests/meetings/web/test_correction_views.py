"""Corrections from the page of a transcript: who may make them, and what becomes of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import redis
from django.test import Client

from meetings.accounts.link_tokens import Role
from meetings.models import Meeting, Summary
from tests.meetings.web.transcripts import address, body, texts_of

FIELD = re.compile(r'<textarea name="text-(\d)" rows="2" maxlength="2000" lang="(\w+)" dir="auto">([^<]*)<')
"""Place, language and text of an item's."""

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker_sync")]


class TestCorrecting:
    def post(self, client: Client, meeting: Meeting, segment: str, role: Role = "host", **fields: str) -> Any:
        return client.post(address(meeting, role, f"lines/{segment}", lang="pt", beside="spoken"), fields)

    def test_a_text_and_a_speaker(self, meeting: Meeting, client: Client, broker_sync: redis.Redis) -> None:
        first = meeting.captions.get(text="first")
        answer = self.post(client, meeting, first.segment, text="First of all.", seen="first", speaker="S2")
        assert answer.json() == {
            "said": "First of all.",
            "speaker": {"id": "S2", "name": "Speaker 2", "color": 2},
            "wordings": [
                {"text": "First of all.", "language": "en", "direction": "ltr", "is_pending": True},
                {"text": "First of all.", "language": "en", "direction": "ltr", "is_pending": False},
            ],
        }
        first.refresh_from_db()
        assert (first.text, first.speaker, first.is_text_fixed, first.is_speaker_fixed) == (
            "First of all.",
            "S2",
            True,
            True,
        )
        assert [(edit.before, edit.after, edit.editor) for edit in first.corrections.all()] == [
            ("first", "First of all.", None)
        ]

    def test_a_translation_where_it_is_read(self, meeting: Meeting, client: Client) -> None:
        first = meeting.captions.get(text="first")
        fields = {"text": "first", "seen": "first", "text-pt": " Em  primeiro lugar.", "seen-pt": "primeiro"}
        answer = self.post(client, meeting, first.segment, **fields)
        assert [wording["text"] for wording in answer.json()["wordings"]] == ["Em primeiro lugar.", "first"]
        assert [(edit.language, edit.before, edit.after) for edit in first.corrections.all()] == [
            ("pt", "primeiro", "Em primeiro lugar.")
        ]
        assert self.post(client, meeting, first.segment, **fields).status_code == 409
        both = {**fields, "text": "First of all", "text-pt": "Antes de tudo", "seen-pt": "Em primeiro lugar."}
        answer = self.post(client, meeting, first.segment, **both)
        assert [wording["text"] for wording in answer.json()["wordings"]] == ["Antes de tudo", "First of all"]

    def test_files_have_the_corrected_text_and_not_the_words_that_were_heard(
        self, meeting: Meeting, client: Client
    ) -> None:
        word = {"start": 1.0, "end": 2.0, "text": "first", "probability": 0.9}
        meeting.captions.filter(text="first").update(words=[word])
        segment = meeting.captions.get(text="first").segment
        self.post(client, meeting, segment, text="At first")
        line = json.loads(body(client, address(meeting, "join", "transcript.json")))["captions"][0]
        assert (line["text"], line["words"], line["translations"]) == ("At first", [], {})

    def test_who_it_was_is_kept(self, meeting: Meeting, host: Client) -> None:
        first = meeting.captions.get(text="first")
        host.post(f"/m/{meeting.pk}/lines/{first.segment}", {"text": "1st"})
        assert first.corrections.get().editor == meeting.owner

    def test_an_empty_text_takes_the_line_away(self, meeting: Meeting, client: Client) -> None:
        first = meeting.captions.get(text="first")
        assert self.post(client, meeting, first.segment, text=" ", speaker="S2").json()["said"] == ""
        assert texts_of(body(client, address(meeting, "host"))) == ["second", "who?", "now"]

    def test_what_somebody_else_has_changed_is_not_written_over(self, meeting: Meeting, client: Client) -> None:
        first = meeting.captions.get(text="first")
        answer = self.post(client, meeting, first.segment, text="1", seen="frst")
        assert (answer.status_code, answer.json()["sentence"]) == (
            409,
            "Somebody else has changed this line meanwhile: read it again.",
        )

    @pytest.mark.parametrize(
        ("segment", "fields", "status"),
        [
            ("000001.0", {"text": "x" * 2_001}, 422),
            ("000001.0", {"text": "x", "speaker": "S9"}, 422),
            ("nowhere", {"text": "x"}, 404),
        ],
    )
    def test_what_makes_no_sense(
        self, meeting: Meeting, client: Client, segment: str, fields: dict[str, str], status: int
    ) -> None:
        segment = meeting.captions.get(text="first").segment if segment != "nowhere" else segment
        assert self.post(client, meeting, segment, **fields).status_code == status

    def test_only_the_host(self, meeting: Meeting, client: Client) -> None:
        segment = meeting.captions.get(text="first").segment
        assert self.post(client, meeting, segment, role="join", text="x").status_code == 403
        assert client.post(address(meeting, "join", "speakers/S2"), {"name": "Eve"}).status_code == 403
        assert Client(enforce_csrf_checks=True).post(address(meeting, "host", "speakers/S2")).status_code == 403
        assert client.get(address(meeting, "host", f"lines/{segment}")).status_code == 405

    def test_names(self, meeting: Meeting, client: Client) -> None:
        answer = client.post(address(meeting, "host", "speakers/S2", lang="pt"), {"name": " Ben "})
        assert (answer.status_code, answer["Location"]) == (302, address(meeting, "host", lang="pt"))
        assert meeting.speakers.get(label="S2").name == "Ben"
        assert client.post(address(meeting, "host", "speakers/S2"), {"name": "x" * 81}).status_code == 400
        assert client.post(address(meeting, "host", "speakers/S9"), {"name": "x"}).status_code == 404
        client.post(address(meeting, "host", "speakers/S2"), {"into": "S1"})
        assert meeting.captions.get(text="second").speaker == "S1"


class TestSummaries:
    @pytest.fixture
    def summary(self, meeting: Meeting) -> Summary:
        segment = meeting.captions.get(text="second").segment
        items = [
            {"kind": kind, "text": text, "owner": "", "segments": [segment]}
            for kind, text in (("topic", "Rooms"), ("action", "Book it"))
        ]
        translations = {"pt": {"text": "", "items": ["Salas", "Reservar"]}}
        return Summary.objects.create(
            meeting=meeting, seq=13, from_s=0, to_s=9, language="en", items=items, translations=translations
        )

    def post(self, client: Client, summary: Summary, role: Role = "host", **fields: str) -> Any:
        return client.post(address(summary.meeting, role, f"summaries/{summary.pk}"), fields)

    def texts(self, summary: Summary) -> list[str]:
        summary.refresh_from_db()
        return [item["text"] for item in summary.items]

    def test_the_fields_hold_what_is_read(self, meeting: Meeting, summary: Summary, host: Client) -> None:
        page = body(host, f"/m/{meeting.pk}/read/?lang=pt")
        assert FIELD.findall(page) == [("2", "pt", "Reservar"), ("1", "pt", "Salas")]
        assert '<input type="hidden" name="language" value="pt">' in page
        assert FIELD.findall(body(host, f"/m/{meeting.pk}/read/?lang=fr"))[1] == ("1", "en", "Rooms")

    def test_as_it_was_written(self, meeting: Meeting, summary: Summary, host: Client) -> None:
        fields = {"text-1": "Two  rooms", "seen-1": "Rooms", "text-2": "Book it", "seen-2": "Book it"}
        answer = host.post(f"/m/{meeting.pk}/summaries/{summary.pk}?lang=fr", fields)
        assert (answer.status_code, answer["Location"]) == (302, f"/m/{meeting.pk}/read/?lang=fr")
        assert self.texts(summary) == ["Two rooms", "Book it"]
        assert summary.translations == {}
        assert [(edit.item, edit.before, edit.after, edit.editor) for edit in summary.corrections.all()] == [
            (1, "Rooms", "Two rooms", meeting.owner)
        ]

    def test_a_translation(self, summary: Summary, client: Client) -> None:
        self.post(client, summary, language="pt", **{"text-2": "Reservar já", "seen-2": "Reservar"})
        assert self.texts(summary) == ["Rooms", "Book it"]
        assert summary.translations == {"pt": {"text": "", "items": ["Salas", "Reservar já"], "is_fixed": True}}

    def test_what_is_emptied_is_taken_away(self, meeting: Meeting, summary: Summary, client: Client) -> None:
        self.post(client, summary, **{"text-1": " ", "seen-1": "Rooms"})
        assert self.texts(summary) == ["Book it"]
        self.post(client, summary, **{"text-1": "", "seen-1": "Book it"})
        assert self.texts(summary) == []
        assert "data-digest" not in body(client, address(meeting, "host"))

    def test_two_people_correct_two_items(self, summary: Summary, client: Client) -> None:
        self.post(client, summary, **{"text-1": "A", "seen-1": "Rooms", "text-2": "Book it", "seen-2": "Book it"})
        self.post(client, summary, **{"text-1": "Rooms", "seen-1": "Rooms", "text-2": "B", "seen-2": "Book it"})
        assert self.texts(summary) == ["A", "B"]

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"text-1": "x", "seen-1": "Rums"}, 409),
            ({"text-1": "x"}, 409),
            ({"text-3": "x"}, 409),
            ({"language": "xx", "text-1": "x"}, 409),
            ({"text-1": "x" * 2_001, "seen-1": "Rooms"}, 422),
            ({"language": "xx"}, 302),
            ({"text-": "x", "text-1x": "x", "text": "x"}, 302),
        ],
    )
    def test_what_makes_no_sense_changes_nothing(
        self, summary: Summary, client: Client, fields: dict[str, str], status: int
    ) -> None:
        assert self.post(client, summary, **fields).status_code == status
        assert self.texts(summary) == ["Rooms", "Book it"]
        assert summary.seq == 13

    def test_only_the_host_and_only_of_this_meeting(self, summary: Summary, client: Client) -> None:
        assert self.post(client, summary, role="join", **{"text-1": "x", "seen-1": "Rooms"}).status_code == 403
        assert client.post(address(summary.meeting, "host", "summaries/999999")).status_code == 404
        other = Meeting.objects.create(title="Another")
        assert client.post(address(other, "host", f"summaries/{summary.pk}")).status_code == 404
