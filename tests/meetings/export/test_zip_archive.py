"""Many meetings as one ZIP file: all of them, under names that are safe anywhere, and never all in memory."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from meetings.export.formats import FORMATS, ONE_LANGUAGE, render_transcript
from meetings.export.zip_archive import ZIP_CHUNK, folder_name, zip_pieces
from meetings.models import Meeting, Translation
from meetings.store import recordings
from tests.meetings.admin.test_admin import make_meeting


@pytest.fixture
def meeting() -> Meeting:
    meeting = make_meeting("../../etc/Orçamento", "the budget is fixed")
    Translation.objects.create(caption=meeting.captions.get(), language="pt", text="o orçamento está fechado")
    return meeting


@pytest.mark.django_db
def test_every_format_in_every_language(meeting: Meeting) -> None:
    other = make_meeting("Retro")
    pieces = zip_pieces([meeting.pk, "gone", other.pk], "en")
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        folder = f"etcorcamento-{meeting.pk}"
        plain = {f"{folder}/transcript.{name}" for name in FORMATS}
        portuguese = {f"{folder}/transcript.pt.{name}" for name in ONE_LANGUAGE}
        retro = {f"retro-{other.pk}/transcript.{name}" for name in FORMATS}
        assert set(archive.namelist()) == plain | portuguese | retro
        assert archive.read(f"{folder}/transcript.json") == render_transcript(meeting, "json").content
        assert archive.read(f"{folder}/transcript.pt.vtt") == render_transcript(meeting, "vtt", "pt").content


@pytest.mark.django_db
def test_a_recording_goes_out_in_pieces(meeting: Meeting) -> None:
    path = recordings.flac_path(meeting.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = bytes(range(256)) * (4 * ZIP_CHUNK // 256) + b"end"
    path.write_bytes(sound)
    pieces = list(zip_pieces([meeting.pk], "en"))
    path.unlink()
    assert max(len(piece) for piece in pieces) < 2 * ZIP_CHUNK
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.read(f"{folder_name(meeting)}/recording.flac") == sound


@given(st.text())
def test_names_are_safe(title: str) -> None:
    name = folder_name(Meeting(title=title, pk="a1"))
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}-a1", name)


@pytest.mark.django_db(transaction=True)
async def test_the_admin_hands_out_what_was_chosen(async_client: AsyncClient, meeting: Meeting) -> None:
    await async_client.aforce_login(await User.objects.acreate_superuser("admin"))
    other = await Meeting.objects.acreate(title="Retro")
    form = {"action": "export", "_selected_action": [meeting.pk]}
    response = await async_client.post("/admin/meetings/meeting/", form)
    assert response.headers["Content-Type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="meetings-\d{8}-\d{6}\.zip"', response.headers["Content-Disposition"])
    assert isinstance(response, StreamingHttpResponse)
    content = b"".join([piece async for piece in response])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {folder_name(meeting)}
    assert other.pk not in content.decode("latin-1")
