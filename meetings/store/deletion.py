"""Deleting a meeting deletes all of it: rows by the database; its sound, the broker's keys and every trace here.

What lies outside the database is deleted when the transaction is committed, so that a deletion that is taken back has
cost nothing. A tombstone that is written with it has a worker do the same again, until it is done
(`meetings.worker.erasure`). What cannot be promised is in docs/deletion.md: copies of the database, PostgreSQL's
files, blocks of the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import F, Q
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver
from redis.exceptions import RedisError

from meetings.broker.audio_log import ACTIVE, audio_key, host_key, pages_key, state_key
from meetings.broker.client import connect_sync
from meetings.broker.reader_languages import languages_key
from meetings.models import Meeting, Speaker, Upload
from meetings.store import erasure, recordings, tombstones, upload_files

log = structlog.get_logger(__name__)


class _Deletions(threading.local):
    """Of this thread: to merge an index takes as long for one meeting as for a hundred."""

    def __init__(self) -> None:
        self.fresh: list[str] = []
        """Meetings whose rows are deleted, if the transaction is committed."""
        self.forgotten: list[str] = []
        """Those of which the files of database and broker may keep something."""
        self.may_wait = False


deletions = _Deletions()


@contextmanager
def one_erasure() -> Iterator[None]:
    """Many deletions, whose traces are erased once, at their end."""
    deletions.may_wait = True
    try:
        yield
    finally:
        deletions.may_wait = False
        _erase_traces()


@receiver(pre_delete, sender=Meeting)
def forget_names(instance: Meeting, **_: Any) -> None:
    """The admin's log says who did what to which row and when, no longer what the row was called."""
    speakers = [str(pk) for pk in Speaker.objects.filter(meeting=instance).values_list("pk", flat=True)]
    told = Q(content_type=ContentType.objects.get_for_model(Speaker), object_id__in=speakers)
    for model in (Meeting, Upload):
        told |= Q(content_type=ContentType.objects.get_for_model(model), object_id=instance.pk)
    LogEntry.objects.filter(told).update(object_repr=F("object_id"), change_message="")


@receiver(post_delete, sender=Meeting)
def leave_tombstone(instance: Meeting, **_: Any) -> None:
    """Whichever page or command deleted the row. What is left, and its stored files, a worker removes."""
    tombstones.add_tombstone(instance)
    deletions.fresh.append(instance.pk)
    transaction.on_commit(forget_fresh, robust=True)


def forget_fresh() -> None:
    """Do at once what can be done, after a commit; the first call does it for all meetings of the transaction."""
    fresh, deletions.fresh = deletions.fresh, []
    for meeting_id in tombstones.existing(fresh):  # of a deletion that was taken back there is none
        deletions.forgotten.append(meeting_id)
        _forget_or_warn(meeting_id)
    _erase_traces()


def forget(meeting_id: str) -> bool:
    """Remove sound and audio log of a deleted meeting; return whether the broker had anything of it.

    Raises:
        OSError: a file cannot be removed.
        RedisError: the broker is away.
    """
    recordings.delete(meeting_id)
    upload_files.delete(meeting_id)
    keys = (audio_key, state_key, host_key, pages_key, languages_key)
    return bool(connect_sync().delete(*(key(meeting_id) for key in keys)))


def _forget_or_warn(meeting_id: str) -> None:
    try:
        forget(meeting_id)
        # It stays active until a worker finds it gone: one may be appending to its keys right now.
        connect_sync().sadd(ACTIVE, meeting_id)
    except (RedisError, OSError) as error:
        log.warning("audio_log_left", meeting=meeting_id, error=type(error).__name__)


def _erase_traces() -> None:
    if deletions.may_wait or not deletions.forgotten:
        return
    forgotten, deletions.forgotten = deletions.forgotten, []
    if erasure.erase():
        tombstones.traces_are_erased(forgotten)
