"""The page of a transcript over HTTP: who may do what, and what becomes of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from meetings.accounts.tokens import Role, meeting_token
from meetings.audio import recordings
from meetings.models import Caption, Meeting, State, Summary
from tests.meetings.weekly import weekly_meeting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker_sync")]

HOSTILE = '"><script>alert(1)</script>\u202e'


@pytest.fixture
def meeting() -> Meeting:
    meeting = weekly_meeting()
    meeting.owner = User.objects.create_user("ana")
    meeting.state = State.ENDED
    meeting.save()
    return meeting


@pytest.fixture
def host(meeting: Meeting) -> Client:
    client = Client()
    client.force_login(meeting.owner)  # type: ignore[arg-type]
    return client


@pytest.fixture
def recorded(meeting: Meeting, settings: Any, tmp_path: Path) -> bytes:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data=tmp_path)
    path = recordings.flac_path(meeting.pk)
    path.parent.mkdir()
    path.write_bytes(b"fLaC and so on")
    return path.read_bytes()


def address(meeting: Meeting, role: Role, suffix: str = "read/", **query: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/m/{meeting.pk}/{suffix}?token={meeting_token(meeting, role)}{extra}"


def texts_of(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"data-wording>([^<]*)</p>", page)]


def body(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


class TestReading:
    def test_a_viewer_reads_and_corrects_nothing(self, meeting: Meeting, client: Client) -> None:
        page = body(client, address(meeting, "join"))
        assert texts_of(page) == ["first", "second", "who?", "now"]
        assert re.findall(r"<bdi data-speaker-name>([^<]*)</bdi>", page) == ["Ana", "Speaker 2", "Speaker ?", ""]
        assert "data-correct" not in page
        assert '<form method="post" action="/m/' not in page

    def test_the_host_may_keep_it_from_viewers(
        self, meeting: Meeting, client: Client, host: Client, recorded: bytes
    ) -> None:
        Meeting.objects.update(allow_transcript=False)
        assert client.get(address(meeting, "join")).status_code == 403
        assert client.get(address(meeting, "join", "recording")).status_code == 403
        assert host.get(f"/m/{meeting.pk}/read/").status_code == 200
        assert client.get(address(meeting, "host")).status_code == 200

    @pytest.mark.parametrize("suffix", ["read/", "recording"])
    def test_without_a_link_there_is_nothing(self, meeting: Meeting, client: Client, suffix: str) -> None:
        Meeting.objects.filter(pk=meeting.pk).update(link_generation=1)
        assert client.get(address(meeting, "join", suffix)).status_code == 403
        assert client.get(f"/m/{meeting.pk}/{suffix}").status_code == 403
        assert client.get(f"/m/nowhere/{suffix}").status_code == 404

    def test_in_one_language_and_side_by_side(self, meeting: Meeting, client: Client) -> None:
        assert texts_of(body(client, address(meeting, "join", lang="pt"))) == ["primeiro", "second", "who?", "now"]
        page = body(client, address(meeting, "join", lang="pt", beside="spoken"))
        assert texts_of(page)[:4] == ["primeiro", "first", "second", "second"]
        assert re.findall(r'lang="(\w+)" dir="ltr" data-pending="(\w+)"', page)[:4] == [
            ("pt", "false"),
            ("en", "false"),
            ("en", "true"),
            ("en", "false"),
        ]
        assert "transcript.docx?token=" in page
        assert "lang=pt&amp;beside=spoken" in page

    def test_languages_that_cannot_be_had(self, meeting: Meeting, client: Client) -> None:
        page = body(client, address(meeting, "join", lang="fr"))
        assert page.count('data-pending="true"') == 4
        assert '<option value="fr" selected>French</option>' in page
        assert client.get(address(meeting, "join", beside="xx")).status_code == 400

    def test_what_may_not_be_downloaded_is_not_offered(self, meeting: Meeting, client: Client, host: Client) -> None:
        Meeting.objects.update(allow_downloads=False)
        assert "transcript.vtt" not in body(client, address(meeting, "join"))
        assert "transcript.vtt" in body(host, f"/m/{meeting.pk}/read/")

    def test_a_summary_leads_to_the_lines(self, meeting: Meeting, client: Client) -> None:
        segment = meeting.captions.get(text="second").segment
        items = [{"kind": "action", "text": HOSTILE, "owner": "S2", "segments": [segment]}]
        Summary.objects.create(meeting=meeting, seq=13, from_s=0, to_s=9, language="en", items=items)
        page = body(client, address(meeting, "join"))
        assert f'<a href="#c-{segment}">&quot;&gt;&lt;script&gt;' in page
        assert "<bdi>Speaker 2</bdi>" in page
        Caption.objects.filter(segment=segment).update(text="")
        assert f"#c-{segment}" not in body(client, address(meeting, "join"))

    def test_what_is_said_stays_text(self, meeting: Meeting, host: Client) -> None:
        Caption.objects.filter(text="first").update(text=HOSTILE)
        page = body(host, f"/m/{meeting.pk}/read/")
        assert "<script>alert" not in page
        assert texts_of(page)[0] == '"><script>alert(1)</script>'

    def test_queries_do_not_grow_with_the_lines(
        self, meeting: Meeting, client: Client, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(7):
            client.get(address(meeting, "join"))


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


class TestRecording:
    async def test_a_part_and_the_whole(self, meeting: Meeting, recorded: bytes) -> None:
        client = AsyncClient()
        path = address(meeting, "join", "recording")
        part = await client.get(path, headers={"Range": "bytes=5-7"})
        assert (part.status_code, part["Content-Range"], part["Content-Type"]) == (206, "bytes 5-7/14", "audio/flac")
        assert b"".join([block async for block in part.streaming_content]) == recorded[5:8]
        whole = await client.get(path)
        assert b"".join([block async for block in whole.streaming_content]) == recorded
        assert "no-store" in whole["Cache-Control"]

    def test_what_was_not_kept_is_not_offered(self, meeting: Meeting, client: Client) -> None:
        assert "<audio" not in body(client, address(meeting, "join"))
        assert client.get(address(meeting, "join", "recording")).status_code == 404

    def test_a_page_with_sound(self, meeting: Meeting, client: Client, recorded: bytes) -> None:
        page = body(client, address(meeting, "join"))
        assert page.count("data-hear") == 4
        assert f'src="/m/{meeting.pk}/recording?token=' in page
