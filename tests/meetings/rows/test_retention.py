"""What is deleted when, with the clock moved; and what is never stored at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import BinaryField
from django.test import Client
from django.utils import timezone

from meetings.accounts.models import EndedSignIn
from meetings.audio import recordings
from meetings.audio.audiolog import Entry
from meetings.files import results
from meetings.models import Caption, Meeting, State
from meetings.rows.retention import Purge, purge
from meetings.workers.purging import delete_overdue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_sync")]

Ended = Callable[..., Meeting]
DAY = timedelta(days=1)


@pytest.fixture
def ended() -> Ended:
    """A meeting that ended `ago`, with one caption of then."""

    def make(ago: timedelta, **fields: Any) -> Meeting:
        at = timezone.now() - ago
        meeting = Meeting.objects.create(**{"title": "Budget", "state": State.ENDED, "ended_at": at, **fields})
        meeting.captions.create(segment="1", utterance="1", seq=1, start=0, end=1, language="en", text="A boat.")
        Caption.objects.filter(meeting=meeting).update(created_at=at)
        Meeting.objects.filter(pk=meeting.pk).update(created_at=at)
        return meeting

    return make


def keep(monkeypatch: pytest.MonkeyPatch, *, audio: int | None = None, text: int | None = None) -> None:
    changed = replace(settings.ENVIRONMENT, keep_audio_days=audio, keep_text_days=text)
    monkeypatch.setattr(settings, "ENVIRONMENT", changed)


def record(meeting: Meeting) -> None:
    recordings.write(meeting.pk, [Entry(b"1-0", 0, b"\1\0" * 1600)])
    recordings.finish(meeting.pk)


def test_by_default_nothing_is_too_old(ended: Ended) -> None:
    ended(10_000 * DAY, keep_recording=True)
    assert purge() == Purge()
    assert Meeting.objects.count() == 1


def test_a_meeting_that_is_not_stored_is_gone_soon_after_its_end(ended: Ended) -> None:
    fresh, over = ended(timedelta(seconds=30), is_ephemeral=True), ended(timedelta(seconds=90), is_ephemeral=True)
    ended(timedelta(seconds=90))
    assert purge().meetings == [over.pk]
    assert not Caption.objects.filter(meeting_id=over.pk).exists()
    assert purge(timezone.now() + timedelta(minutes=1)).meetings == [fresh.pk]
    assert Meeting.objects.count() == 1


def test_one_that_nobody_ended_is_gone_when_it_was_silent_for_a_day(ended: Ended) -> None:
    silent = ended(25 * DAY / 24, is_ephemeral=True, state=State.LIVE, ended_at=None)
    ended(23 * DAY / 24, is_ephemeral=True, state=State.LIVE, ended_at=None)
    Meeting.objects.create(title="Just made", is_ephemeral=True)
    assert purge().meetings == [silent.pk]


def test_it_is_stored_nowhere_else(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, results_of="all"))
    ended(timedelta(0), is_ephemeral=True)
    stored = ended(timedelta(0))
    assert results.due(limit=9) == [stored.pk]


def test_text_and_sound_have_times_of_their_own(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, audio=7, text=30)
    old, middle, young = (ended(days * DAY, keep_recording=True) for days in (31, 8, 6))
    for meeting in (old, middle, young):
        record(meeting)
    assert purge(is_rehearsal=True).meetings == [old.pk]
    assert Meeting.objects.count() == 3
    assert purge() == Purge([old.pk], [middle.pk])
    assert set(Meeting.objects.values_list("pk", flat=True)) == {middle.pk, young.pk}
    assert [recordings.flac_path(one.pk).exists() for one in (old, middle, young)] == [False, False, True]
    assert purge() == Purge()


def test_what_never_began_is_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, text=30)
    waiting = Meeting.objects.create(title="Merger with Quintela")
    assert purge(timezone.now() + 29 * DAY) == Purge()
    assert purge(timezone.now() + 31 * DAY).meetings == [waiting.pk]


@pytest.mark.django_db(transaction=True)  # the worker has a connection of its own
def test_the_worker_and_the_command_do_the_same(ended: Ended) -> None:
    ended(timedelta(hours=1), is_ephemeral=True)
    said = StringIO()
    call_command("purge", "--dry-run", stdout=said)
    assert said.getvalue() == "Would delete 1 meetings, and the recordings of 0 more.\n"
    assert Meeting.objects.count() == 1
    delete_overdue()
    assert Meeting.objects.count() == 0
    call_command("purge", stdout=said)
    assert said.getvalue().endswith("Deleted 0 meetings, and the recordings of 0 more.\n")


def test_ended_sign_ins_are_forgotten_when_no_pass_can_be_left_of_them() -> None:
    EndedSignIn.objects.create(pk="a")
    purge(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE - 60))
    assert EndedSignIn.objects.exists()
    purge(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 60))
    assert not EndedSignIn.objects.exists()


def test_no_row_has_a_place_for_a_voice_print() -> None:
    fields = [field for model in apps.get_app_config("meetings").get_models() for field in model._meta.get_fields()]
    assert [field for field in fields if isinstance(field, BinaryField)] == []
    assert [field.name for field in fields if "embedding" in field.name or "voice" in field.name] == []


class TestPages:
    @pytest.fixture
    def host(self) -> Client:
        client = Client()
        client.force_login(User.objects.create_user("ana"))
        return client

    def test_a_meeting_that_is_not_stored_keeps_no_recording(self, host: Client) -> None:
        host.post("/", {"title": "Retro", "language": "en", "is_ephemeral": "on", "keep_recording": "on"})
        meeting = Meeting.objects.get()
        assert (meeting.is_ephemeral, meeting.keep_recording, meeting.allow_transcript) == (True, False, False)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"is_ephemeral": True}, "Nothing is kept: sound and text are deleted a minute after the end."),
            ({"keep_recording": True}, "The recording is kept."),
            ({}, "The text is kept, the sound is not."),
        ],
    )
    def test_readers_are_told_what_becomes_of_it(self, host: Client, fields: dict[str, bool], sentence: str) -> None:
        meeting = Meeting.objects.create(title="Retro", owner=User.objects.get(), **fields)
        page = host.get(f"/m/{meeting.pk}/").content.decode()
        assert "turned into text by a machine" in page
        assert sentence in page
        assert "turned into text by a machine" not in host.get(f"/m/{meeting.pk}/?overlay=1").content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_everything_of_a_meeting_can_be_taken_along(self, host: Client, ended: Ended) -> None:
        meeting = ended(timedelta(0), owner=User.objects.get(), keep_recording=True)
        record(meeting)
        answer: Any = host.get(f"/host/{meeting.pk}/export.zip")
        assert answer["Content-Disposition"] == f'attachment; filename="meeting-{meeting.pk}.zip"'

        async def received() -> bytes:
            return b"".join([piece async for piece in answer.streaming_content])

        with ZipFile(BytesIO(async_to_sync(received)())) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
        assert {"transcript.json", "transcript.vtt", "recording.flac"} <= names
        host.post(f"/host/{meeting.pk}/delete/")
        assert not recordings.flac_path(meeting.pk).exists()
