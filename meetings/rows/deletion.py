"""Deleting a meeting deletes all of it: rows by the database; its sound, the broker's keys and every trace here.

What cannot be promised is in docs/deletion.md: copies of the database, PostgreSQL's files, blocks of the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver
from redis.exceptions import RedisError

from meetings.audio import recordings
from meetings.audio.audiolog import ACTIVE, audio_key, host_key, state_key
from meetings.broker import connect_sync
from meetings.database_errors import describe
from meetings.models import DiscardedResults, Meeting, Speaker, State, Upload
from meetings.search.finding import index
from meetings.sockets.readership import languages_key
from meetings.uploading import chunks

log = structlog.get_logger(__name__)

CHECKPOINT_WAIT_MS = 2_000
"""How long a deletion waits for readers of the database; who comes later overwrites the same pages."""


class _Traces(threading.local):
    """Of this thread's deletions: to merge an index takes as long for one meeting as for a hundred."""

    are_left = False
    may_wait = False


traces = _Traces()


@contextmanager
def one_erasure() -> Iterator[None]:
    """Many deletions, whose traces are erased once, at their end."""
    traces.may_wait = True
    try:
        yield
    finally:
        traces.may_wait = False
        erase_traces()


@receiver(pre_delete, sender=Meeting)
def forget_names(instance: Meeting, **_: Any) -> None:
    """The admin's log says who did what to which row and when, no longer what the row was called."""
    speakers = [str(pk) for pk in Speaker.objects.filter(meeting=instance).values_list("pk", flat=True)]
    told = Q(content_type=ContentType.objects.get_for_model(Speaker), object_id__in=speakers)
    for model in (Meeting, Upload):
        told |= Q(content_type=ContentType.objects.get_for_model(model), object_id=instance.pk)
    LogEntry.objects.filter(told).update(object_repr=F("object_id"), change_message="")


@receiver(post_delete, sender=Meeting)
def forget_sound(instance: Meeting, **_: Any) -> None:
    """Removes sound and audio log, whichever page or command deleted the row; a worker removes its stored files."""
    recordings.delete(instance.pk)
    chunks.delete(instance.pk)
    if instance.state == State.ENDED:
        DiscardedResults.objects.get_or_create(pk=instance.pk)
    try:
        broker = connect_sync()
        keys = (audio_key, state_key, host_key, languages_key)
        broker.delete(*(key(instance.pk) for key in keys))
        # It stays active until a worker finds it gone: one may be appending to these keys right now.
        broker.sadd(ACTIVE, instance.pk)
    except (RedisError, OSError) as error:
        log.warning("audio_log_left", meeting=instance.pk, error=str(error))
    traces.are_left = True
    transaction.on_commit(erase_traces)


def erase_traces() -> None:
    """What database, index and broker keep in their files of rows and keys that are deleted; nothing where none are."""
    if traces.may_wait or not traces.are_left:
        return
    traces.are_left = False
    try:
        index().erase()
        if connection.vendor == "sqlite":
            _empty_log_of_writes()
    except OperationalError as error:
        log.warning("traces_left", place="database", error=describe(error))
    try:
        connect_sync().bgrewriteaof()
    except (RedisError, OSError) as error:
        log.warning("traces_left", place="broker", error=str(error))


def _empty_log_of_writes() -> None:
    """Freed pages are overwritten (`secure_delete` in the settings); this brings them from SQLite's log to its file."""
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout = {int(before)}")
