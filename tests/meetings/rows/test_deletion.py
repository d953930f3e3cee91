"""Deleting a meeting: a word that was said in it is found nowhere afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import redis.asyncio
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from meetings.audio import recordings
from meetings.audio.audiolog import ACTIVE, AudioLog, Entry, audio_key, host_key, state_key
from meetings.broker import connect
from meetings.files import results
from meetings.models import Caption, Meeting, Speaker, State, Summary, Translation, Upload
from meetings.rows.deletion import one_erasure
from meetings.search.finding import find
from meetings.search.postgresql import PostgresIndex
from meetings.search.sqlite import SqliteIndex
from meetings.sockets.readership import languages_key
from meetings.uploading import chunks
from tests.meetings.admin.test_admin import NO_INLINES, make_meeting

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "qzjvwk"
"""No word begins like it, so that no index can store it as the end of another."""


def test_deleting_a_meeting_leaves_nothing(broker_sync: redis.Redis) -> None:
    meeting = Meeting.objects.create(title="Budget")
    meeting.captions.create(segment="1", seq=1, start=0, end=1, language="en", text="secret")
    recordings.write(meeting.pk, [Entry(b"1-0", 0, b"\1\0" * 1600)])
    keys = (audio_key(meeting.pk), state_key(meeting.pk), host_key(meeting.pk), languages_key(meeting.pk))
    for key in keys:
        broker_sync.set(key, "secret")
    raw, meeting_id = recordings.raw_path(meeting.pk), meeting.pk
    assert raw.exists()
    Meeting.objects.all().delete()
    assert not raw.exists()
    assert broker_sync.exists(*keys) == 0
    assert Caption.objects.count() == 0
    assert broker_sync.smembers(ACTIVE) == {meeting_id.encode()}, "the next worker to look forgets the rest"


def test_a_broker_that_is_away_does_not_stop_a_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.broker_url", lambda: "unix:///nowhere/valkey.sock")
    Meeting.objects.create(title="Budget").delete()
    assert Meeting.objects.count() == 0


def test_many_deletions_are_erased_once(broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    erasures: list[int] = []
    monkeypatch.setattr(SqliteIndex, "erase", lambda index: erasures.append(Meeting.objects.count()))
    monkeypatch.setattr(PostgresIndex, "erase", lambda index: erasures.append(Meeting.objects.count()))
    for title in ("One", "Two", "Three", "Four", "Five"):
        Meeting.objects.create(title=title)
    Meeting.objects.filter(title__in=("One", "Two")).delete()
    with one_erasure():
        for meeting in Meeting.objects.filter(title__in=("Three", "Four")):
            meeting.delete()
    with one_erasure():
        pass
    assert erasures == [3, 1]


def test_a_word_that_was_said_is_found_nowhere_afterwards(broker_sync: redis.Redis, admin_client: Client) -> None:
    other = make_meeting("Bystander", "what others said stays")
    meeting = everywhere(admin_client)
    places = {
        "broker",
        "recordings",
        "results",
        "uploads",
        *(["tests.sqlite3"] if connection.vendor == "sqlite" else []),
    }
    assert {name.removesuffix("-wal") for name in told()} == places, "there is something to find"
    admin_client.post(f"/admin/meetings/meeting/{meeting.pk}/delete/", {"post": "yes"})
    for meeting_id in results.discarded(limit=9):  # as a worker does
        results.delete(meeting_id, results.results_storage())
    wait_until(lambda: told() == set())
    assert broker_sync.keys("*") == [ACTIVE.encode()]
    assert find(CANARY, limit=9) == []
    assert not LogEntry.objects.filter(object_repr__contains=CANARY).exists()
    assert LogEntry.objects.filter(object_repr=meeting.pk).count() == 1, (
        "that it was deleted, and by whom, is still told"
    )
    assert [hit.meeting for hit in find("others", limit=9)] == [other]


def everywhere(client: Client) -> Meeting:
    """A meeting with the canary wherever a meeting can have it, and corrected, found and named by an operator."""
    meeting = make_meeting(f"About {CANARY}", f"the {CANARY} is fixed", "nothing of that")
    Meeting.objects.filter(pk=meeting.pk).update(state=State.ENDED)
    caption = meeting.captions.earliest("start")
    summary = {"from_s": 0, "to_s": 1, "language": "en", "text": f"The {CANARY}.", "items": []}
    Summary.objects.create(
        meeting=meeting, seq=3, translations={"pt": {"text": f"O {CANARY}.", "items": []}}, **summary
    )
    speaker = Speaker.objects.create(meeting=meeting, label="S1", seq=4)
    meeting.captions.update(speaker="S1")
    client.post(f"/admin/meetings/speaker/{speaker.pk}/change/", {"name": CANARY.title()})
    form = {"initial-text": caption.text, "text": f"{CANARY}, {CANARY}", **NO_INLINES}
    client.post(f"/admin/meetings/caption/{caption.pk}/change/", form)
    Translation.objects.create(caption=caption, language="pt", text=f"o {CANARY}")
    Upload.objects.create(meeting=meeting, name=f"{CANARY}.wav", size=len(CANARY))
    chunks.create(meeting.pk)
    chunks.append(meeting.pk, CANARY.encode(), offset=0, size=len(CANARY))
    sound = CANARY.encode() * 400
    recordings.write(meeting.pk, [Entry(b"1-0", 0, sound)])
    async_to_sync(hear)(meeting, sound)
    results.store(meeting.pk, results.results_storage())
    assert len(find(CANARY, limit=9)) == 3
    assert LogEntry.objects.count() == 2
    return meeting


async def hear(meeting: Meeting, sound: bytes) -> None:
    broker = connect()
    log = AudioLog(broker)
    await log.claim(meeting.pk, "page", takeover=False, cursor=0)
    await log.append(meeting.pk, "page", 0, sound)
    await broker.aclose()


def told() -> set[str]:
    """Folders and files of the data folder in which the canary stands, as it was or in the index's small letters."""
    folder = Path(settings.ENVIRONMENT.data)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).parts[0] for path in files if CANARY.encode() in contents(path).lower()}


def contents(path: Path) -> bytes:
    """A file that is deleted meanwhile holds nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """For the broker, which rewrites its file in a process of its own and tells nobody."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)
