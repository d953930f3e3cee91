"""Deleting a meeting: a word that was said in it is found nowhere afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import redis.asyncio
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.deletion import Collector
from django.test import Client
from django.utils import timezone

from meetings.broker.audio_log import ACTIVE, AudioEntry, AudioLog, audio_key, host_key, state_key
from meetings.broker.client import connect
from meetings.broker.embedded import EmbeddedBroker
from meetings.broker.reader_languages import languages_key
from meetings.export import results
from meetings.models import ApiToken, Caption, Meeting, Speaker, State, Summary, Tombstone, Translation, Upload, Webhook
from meetings.search.finding import find
from meetings.search.postgresql import PostgresIndex
from meetings.search.sqlite import SqliteIndex
from meetings.store import erasure, recordings, upload_files
from meetings.store.deletion import one_erasure
from meetings.worker.erasure import ErasureJob
from tests.meetings.admin.test_admin import NO_INLINES, make_meeting
from tests.meetings.brokers import stopped

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "qzjvwk"
"""No word begins like it, so that no index can store it as the end of another."""


def test_deleting_a_meeting_leaves_nothing(broker_sync: redis.Redis) -> None:
    meeting = Meeting.objects.create(title="Budget")
    meeting.captions.create(segment="1", seq=1, start=0, end=1, language="en", text="secret")
    recordings.write(meeting.pk, [AudioEntry(b"1-0", 0, b"\1\0" * 1600)])
    keys = (audio_key(meeting.pk), state_key(meeting.pk), host_key(meeting.pk), languages_key(meeting.pk))
    for key in keys:
        broker_sync.set(key, "secret")
    raw, meeting_id = recordings.raw_path(meeting.pk), meeting.pk
    assert raw.exists()
    Meeting.objects.all().delete()
    assert not raw.exists()
    assert broker_sync.exists(*keys) == 0
    assert Caption.objects.count() == 0
    assert Tombstone.objects.get().pk == meeting_id
    assert broker_sync.smembers(ACTIVE) == {meeting_id.encode()}, "the next worker to look forgets the rest"


def test_a_broker_that_is_away_does_not_stop_a_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    Meeting.objects.create(title="Budget").delete()
    assert Meeting.objects.count() == 0


def test_a_deletion_that_is_taken_back_costs_nothing(broker_sync: redis.Redis) -> None:
    """Sound and log were gone before the transaction was committed."""
    meeting = Meeting.objects.create(title="Budget")
    recordings.write(meeting.pk, [AudioEntry(b"1-0", 0, b"\1\0" * 1600)])
    async_to_sync(hear)(meeting, b"\1\0" * 1600)
    meeting_id = meeting.pk
    with transaction.atomic():
        Meeting.objects.get().delete()
        transaction.set_rollback(True)
    other = Meeting.objects.create(title="Plan")
    other.delete()  # the same thread's next deletion looks at what is deleted, not at what was to be
    assert recordings.raw_path(meeting_id).exists()
    assert broker_sync.xlen(audio_key(meeting_id)) == 1
    assert Tombstone.objects.filter(pk=meeting_id).count() == 0


def test_what_a_broker_had_that_was_away_goes_later(broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting.objects.create(title="Budget")
    async_to_sync(hear)(meeting, CANARY.encode() * 400)
    with monkeypatch.context() as away:
        away.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
        meeting.delete()
        with pytest.raises(redis.ConnectionError):  # which the loop waits for
            erase_as_a_worker()
    assert "broker" in told()
    assert Tombstone.objects.get().attempts == 1, "put off, and nothing else of the worker with it"
    erase_as_a_worker()
    assert broker_sync.keys("*}*") == []
    wait_until(lambda: told() == set())


def test_a_file_that_cannot_be_removed_is_removed_later(
    broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(meeting_id: str) -> None:
        raise PermissionError(13, "Permission denied")

    meeting = Meeting.objects.create(title="Budget")
    recordings.write(meeting.pk, [AudioEntry(b"1-0", 0, CANARY.encode() * 400)])
    with monkeypatch.context() as stuck:
        stuck.setattr(recordings, "delete", refuse)
        meeting.delete()
        assert not Meeting.objects.exists(), "it does not stop a deletion"
    assert "recordings" in told()
    erase_as_a_worker()
    assert "recordings" not in told()


def test_a_second_deletion_while_the_file_is_rewritten_waits_for_its_own(
    valkey: EmbeddedBroker, broker_sync: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """The rewrite that runs has begun with its sound in memory, and would put it into the new file."""
    first, second = Meeting.objects.create(title="One"), Meeting.objects.create(title="Two")
    async_to_sync(hear)(second, CANARY.encode() * 400)
    broker_sync.mset({f"filler:{number}": number for number in range(20)})
    broker_sync.config_set("rdb-key-save-delay", 400_000)  # ten seconds: long enough to be caught
    first.delete()
    broker_sync.config_set("rdb-key-save-delay", 0)
    with stopped(rewriting(valkey)):
        second.delete()
    assert broker_sync.hget(erasure.BEGUN, "count") == b"1", "it would test nothing"
    wait_until(lambda: not broker_sync.info("persistence")["aof_rewrite_in_progress"])
    assert "broker" in told(), "the rewrite has put it there"
    erase_as_a_worker()
    wait_until(lambda: told() == set())
    assert [record.msg for record in caplog.records if "traces_left" in str(record.msg)] == []
    begun = broker_sync.info("persistence")["aof_rewrites"]
    erase_as_a_worker()
    assert broker_sync.get(erasure.BROKER) == broker_sync.get(erasure.WANTED) == b"2"
    assert broker_sync.info("persistence")["aof_rewrites"] == begun, "and none follows"


def rewriting(server: EmbeddedBroker) -> int:
    """The process that rewrites the server's file."""
    [child] = psutil.Process(server.pid).children()
    return child.pid


def erase_as_a_worker() -> None:
    """What a worker does some seconds after a deletion, and again and again."""
    Tombstone.objects.update(not_before=timezone.now())
    async_to_sync(ErasureJob().turn)()


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
    erase_as_a_worker()
    wait_until(lambda: told() == set())
    assert [key for key in broker_sync.keys("*") if b"erasure" not in key] == [ACTIVE.encode()]
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
    upload_files.create(meeting.pk)
    upload_files.append(meeting.pk, CANARY.encode(), offset=0, size=len(CANARY))
    sound = CANARY.encode() * 400
    recordings.write(meeting.pk, [AudioEntry(b"1-0", 0, sound)])
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


@pytest.mark.parametrize("way", ["row", "rows"])
@pytest.mark.parametrize("model", [Meeting, ApiToken, Webhook])
def test_what_belongs_to_a_row_is_collected_under_its_lock(
    monkeypatch: pytest.MonkeyPatch, model: type[Meeting | ApiToken | Webhook], way: str
) -> None:
    """Else a caption, a job or a delivery that comes in between would belong to nothing."""
    fields = {} if model is Meeting else {"user": User.objects.create_user("ana")}
    row = model.objects.create(**fields)
    collect, is_locked = Collector.collect, []

    def collected(self: Collector, *args: Any, **kwargs: Any) -> None:
        is_locked.append(connection.in_atomic_block)
        collect(self, *args, **kwargs)

    monkeypatch.setattr(Collector, "collect", collected)
    (row if way == "row" else model.objects.filter(pk=row.pk)).delete()
    assert set(is_locked) == {True}
    assert not model.objects.exists()
