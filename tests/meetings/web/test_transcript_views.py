"""The page of a transcript over HTTP: who may do what, and what becomes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient, Client

from meetings.models import Caption, Meeting, Summary
from meetings.store import recordings
from tests.meetings.web.transcripts import address, body, texts_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker_sync")]

HOSTILE = '"><script>alert(1)</script>\u202e'


@pytest.fixture
def recorded(meeting: Meeting, settings: Any, tmp_path: Path) -> bytes:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data=tmp_path)
    path = recordings.flac_path(meeting.pk)
    path.parent.mkdir()
    path.write_bytes(b"fLaC and so on")
    return path.read_bytes()


class TestReading:
    def test_a_viewer_reads_and_corrects_nothing(self, meeting: Meeting, client: Client) -> None:
        page = body(client, address(meeting, "join"))
        assert texts_of(page) == ["first", "second", "who?", "now"]
        assert re.findall(r"<bdi data-speaker-name>([^<]*)</bdi>", page) == ["Ana", "Speaker 2", "Unknown speaker", ""]
        assert "data-correct" not in page
        assert '<form method="post" action="/m/' not in page

    @pytest.mark.parametrize(("seconds", "is_said"), [(0.4, False), (55.6, True)])
    def test_what_was_not_captured_is_said(
        self, meeting: Meeting, client: Client, seconds: float, is_said: bool
    ) -> None:
        Meeting.objects.update(missing_s=seconds)
        page = body(client, address(meeting, "join"))
        assert ("56 seconds were not captured and are missing here." in page) == is_said

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
        with django_assert_num_queries(8):
            client.get(address(meeting, "join"))


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
