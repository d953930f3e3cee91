"""What is deleted when, with the clock moved; and what is never stored at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import pytest
import redis
from asgiref.sync import async_to_sync
from axes.models import AccessAttempt
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.db.models import BinaryField
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from meetings.broker.audio_log import AudioEntry
from meetings.broker.client import connect
from meetings.export import results
from meetings.models import Caption, EndedSignIn, LagSample, Meeting, State, Tombstone, Upload, UploadFailure
from meetings.store import recordings, upload_files, uploads
from meetings.store.retention import UNFINISHED, Purge, forget_machinery, purge
from meetings.worker import retention
from meetings.worker.retention import RetentionJob

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker_sync")]

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
    recordings.write(meeting.pk, [AudioEntry(b"1-0", 0, b"\1\0" * 1600)])
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


class TestUploads:
    """What never arrived, and what did not work out, goes by itself."""

    def announced(self) -> Upload:
        return uploads.begin(Meeting(title="Budget"), uploads.Announced("budget.wav", 10, 0))

    def test_one_of_which_nothing_arrives_is_given_up(self) -> None:
        still, growing = self.announced(), self.announced()
        later = timezone.now() + UNFINISHED + timedelta(hours=1)
        touched = (later - timedelta(hours=2)).timestamp()
        os.utime(upload_files.path(growing.pk), (touched, touched))
        assert purge(later - timedelta(hours=2)) == Purge()
        assert purge(later, is_rehearsal=True).meetings == [still.pk]
        assert purge(later).meetings == [still.pk]
        assert list(Upload.objects.values_list("pk", flat=True)) == [growing.pk]
        assert [upload_files.path(upload.pk).exists() for upload in (still, growing)] == [False, True]

    def test_the_file_of_one_that_failed_goes_and_its_entry_stays(self) -> None:
        upload = self.announced()
        uploads.fail(upload.pk, UploadFailure.UNREADABLE)
        later = timezone.now() + UNFINISHED
        assert purge(later - timedelta(hours=1)) == Purge()
        assert purge(later + timedelta(hours=1)).recordings == [upload.pk]
        assert not upload_files.path(upload.pk).exists()
        assert Upload.objects.count() == 1
        assert purge(later + timedelta(hours=1)) == Purge()

    def test_what_is_tried_again_by_the_next_version_keeps_its_file(self) -> None:
        upload = self.announced()
        uploads.fail(upload.pk, UploadFailure.SET_ASIDE)
        assert purge(timezone.now() + 30 * DAY) == Purge()
        assert upload_files.path(upload.pk).exists()


def test_the_worker_and_the_command_do_the_same(ended: Ended, broker_sync: redis.Redis) -> None:
    ended(timedelta(hours=1), is_ephemeral=True)
    said = StringIO()
    call_command("purge", "--dry-run", stdout=said)
    assert said.getvalue() == "Would delete 1 meetings, and the recordings of 0 more.\n"
    assert Meeting.objects.count() == 1
    async_to_sync(purge_as_a_worker)()
    assert Meeting.objects.count() == 0
    call_command("purge", stdout=said)
    assert said.getvalue().endswith("Deleted 0 meetings, and the recordings of 0 more.\n")


async def purge_as_a_worker() -> None:
    broker = connect()
    await RetentionJob("worker", broker).turn()
    await broker.aclose()


def test_ended_sign_ins_are_forgotten_when_no_pass_can_be_left_of_them() -> None:
    EndedSignIn.objects.create(pk="a")
    assert forget_machinery(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)) == 0
    assert forget_machinery(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 60)) == 1
    assert not EndedSignIn.objects.exists()


def test_sessions_and_wrong_tries_do_not_pile_up(client: Client) -> None:
    client.post("/login/", {"username": "nobody", "password": "wrong"})
    client.force_login(User.objects.create_user("ana"))
    assert (AccessAttempt.objects.count(), Session.objects.count()) == (1, 1)
    assert forget_machinery(timezone.now() + timedelta(hours=23)) == 0
    assert forget_machinery(timezone.now() + timedelta(hours=25)) == 1
    assert not AccessAttempt.objects.exists()
    assert client.get("/").status_code == 200
    assert forget_machinery(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 60)) == 1
    assert not Session.objects.exists()


def test_how_late_captions_were_is_kept_for_a_season(ended: Ended) -> None:
    meeting = ended(timedelta(0))
    LagSample.objects.create(meeting=meeting, at=timezone.now() - 89 * DAY, behind_s=1)
    LagSample.objects.create(meeting=meeting, at=timezone.now() - 91 * DAY, behind_s=2)
    assert forget_machinery() == 1
    assert LagSample.objects.get().behind_s == 1


def test_so_many_rows_go_at_a_time() -> None:
    Session.objects.bulk_create(
        Session(session_key=f"{number}", expire_date=timezone.now() - DAY) for number in range(5)
    )
    assert [forget_machinery(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_so_many_meetings_go_at_a_time_and_one_that_fails_goes_last(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    meetings = [ended(timedelta(hours=hours), is_ephemeral=True) for hours in (5, 4, 3, 2)]
    stuck, *others = (meeting.pk for meeting in meetings)
    monkeypatch.setattr(Meeting, "delete", cannot_be(Meeting.delete, stuck))
    assert purge(limit=2) == Purge([others[0]], [], [stuck])
    assert purge(limit=2, but=[stuck]) == Purge(others[1:], [], [])
    assert purge(limit=2, but=[stuck]) == Purge()


def cannot_be(delete: Callable[[Meeting], Any], stuck: str) -> Callable[[Meeting], Any]:
    def delete_or_fail(meeting: Meeting) -> Any:
        if meeting.pk == stuck:
            raise IntegrityError("a row that we do not know of")
        return delete(meeting)

    return delete_or_fail


def test_a_database_that_is_away_is_nobodys_fault(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(meeting: Meeting) -> None:
        raise OperationalError("database is locked")

    ended(timedelta(hours=1), is_ephemeral=True)
    monkeypatch.setattr(Meeting, "delete", away)
    with pytest.raises(OperationalError):
        purge()


def test_a_worker_leaves_alone_what_it_cannot_delete_and_gives_its_turn_back(
    ended: Ended, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MEETINGS_PER_TURN", 1)
    stuck, other = (ended(timedelta(hours=hours), is_ephemeral=True).pk for hours in (2, 1))
    monkeypatch.setattr(Meeting, "delete", cannot_be(Meeting.delete, stuck))

    async def two_turns() -> None:
        broker = connect()
        worker = RetentionJob("worker", broker)
        await worker.turn()
        worker._not_before = 0.0
        await worker.turn()
        await broker.aclose()

    async_to_sync(two_turns)()
    assert [meeting.pk for meeting in Meeting.objects.all()] == [stuck]
    assert Tombstone.objects.get().pk == other
    assert broker_sync.keys("*purge*") == []


def test_a_turn_that_fails_is_given_back_too(broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> Purge:
        raise ZeroDivisionError

    monkeypatch.setattr(retention.retention, "purge", fail)
    with pytest.raises(ZeroDivisionError):
        async_to_sync(purge_as_a_worker)()
    assert broker_sync.keys("*purge*") == []


def test_captions_are_not_counted_to_find_what_is_too_old(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    """The join of all captions, grouped, was asked for once a minute."""
    keep(monkeypatch, text=30, audio=7)
    meeting = ended(timedelta(0))
    with CaptureQueriesContext(connection) as queries:
        purge()
    [selection] = [query["sql"] for query in queries if "meetings_caption" in query["sql"]]
    assert "MAX" not in selection
    assert "GROUP BY" not in selection
    assert Meeting.objects.filter(pk=meeting.pk).exists()


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

    @pytest.mark.parametrize("is_on", [False, True], ids=["no second pass here", "a second pass"])
    def test_a_meeting_that_is_not_stored_keeps_no_recording(self, host: Client, settings: Any, *, is_on: bool) -> None:
        settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=is_on)
        kept = {"keep_recording": "on", "is_read_again": "on"}
        host.post("/", {"title": "Retro", "language": "en", "is_ephemeral": "on", **kept})
        meeting = Meeting.objects.get()
        assert (meeting.is_ephemeral, meeting.keep_recording, meeting.allow_transcript) == (True, False, False)
        assert not meeting.is_read_again

    def test_a_host_may_lend_the_sound(self, host: Client, settings: Any) -> None:
        settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=True)
        assert "until the transcript has been read again" in host.get("/").content.decode()
        host.post("/", {"title": "Retro", "language": "en", "is_read_again": "on"})
        assert Meeting.objects.get().is_read_again

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"is_ephemeral": True}, "Nothing is kept: sound and text are deleted a minute after the end."),
            ({"keep_recording": True}, "The recording is kept."),
            ({}, "The text is kept; the audio is deleted."),
        ],
    )
    def test_readers_are_told_what_becomes_of_it(self, host: Client, fields: dict[str, bool], sentence: str) -> None:
        meeting = Meeting.objects.create(title="Retro", owner=User.objects.get(), **fields)
        page = host.get(f"/m/{meeting.pk}/").content.decode()
        assert "Automatic captions." in page
        assert sentence in page
        assert "Automatic captions." not in host.get(f"/m/{meeting.pk}/?overlay=1").content.decode()

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
