"""Deletion of a meeting with everything that belongs to it: rows, audio, broker keys and traces in files.

Data outside the database is deleted after the commit, so that a rollback loses nothing. A tombstone written in the same
transaction makes a worker repeat the deletion until it is complete (`meetings.worker.erasure`). docs/deletion.md lists
what cannot be guaranteed: copies of the database, PostgreSQL's files, disk blocks.
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

from meetings.broker import audio_log
from meetings.broker.audio_log import ACTIVE
from meetings.broker.client import connect_sync
from meetings.broker.reader_languages import languages_key
from meetings.models import ApiToken, Meeting, Speaker, Upload
from meetings.store import erasure, recordings, tombstones, upload_files

log = structlog.get_logger(__name__)


class _Deletions(threading.local):
    """Deletions of this thread. Merging an index takes as long for one meeting as for a hundred."""

    def __init__(self) -> None:
        self.fresh: list[str] = []
        """Meetings whose rows are deleted if the transaction is committed."""
        self.forgotten: list[str] = []
        """Meetings of which the files of database and broker may still hold traces."""
        self.may_wait = False


deletions = _Deletions()


@contextmanager
def one_erasure() -> Iterator[None]:
    """Erase the traces of all deletions in the block once, at its end."""
    deletions.may_wait = True
    try:
        yield
    finally:
        deletions.may_wait = False
        _erase_traces()


@receiver(pre_delete, sender=Meeting)
def forget_names(instance: Meeting, **_: Any) -> None:
    """Keep in the admin's log who did what to which row and when, but remove the name of the row."""
    speakers = [str(pk) for pk in Speaker.objects.filter(meeting=instance).values_list("pk", flat=True)]
    told = Q(content_type=ContentType.objects.get_for_model(Speaker), object_id__in=speakers)
    for model in (Meeting, Upload):
        told |= Q(content_type=ContentType.objects.get_for_model(model), object_id=instance.pk)
    LogEntry.objects.filter(told).update(object_repr=F("object_id"), change_message="")


@receiver(pre_delete, sender=ApiToken)
def end_jobs(instance: ApiToken, **_: Any) -> None:
    """Delete the recordings that were sent with a token that is revoked, and what was made of them."""
    for meeting in Meeting.objects.filter(api_job__token=instance):
        meeting.delete()


@receiver(post_delete, sender=Meeting)
def leave_tombstone(instance: Meeting, **_: Any) -> None:
    """Add a tombstone, whichever page or command deleted the row. A worker removes the remains and the stored files."""
    tombstones.add_tombstone(instance)
    deletions.fresh.append(instance.pk)
    transaction.on_commit(forget_fresh, robust=True)


def forget_fresh() -> None:
    """Delete at once what can be deleted after a commit; the first call covers all meetings of the transaction."""
    fresh, deletions.fresh = deletions.fresh, []
    for meeting_id in tombstones.existing(fresh):  # a rolled-back deletion has no tombstone
        deletions.forgotten.append(meeting_id)
        _forget_or_warn(meeting_id)
    _erase_traces()


def forget(meeting_id: str) -> bool:
    """Remove audio and audio log of a deleted meeting; return whether the broker held any of it.

    Raises:
        OSError: a file cannot be removed.
        RedisError: the broker is unreachable.
    """
    recordings.delete(meeting_id)
    upload_files.delete(meeting_id)
    keys = (*audio_log.KEYS, languages_key)
    return bool(connect_sync().delete(*(key(meeting_id) for key in keys)))


def _forget_or_warn(meeting_id: str) -> None:
    try:
        forget(meeting_id)
        # It stays active until a worker finds it gone, because a worker may be appending to its keys right now.
        connect_sync().sadd(ACTIVE, meeting_id)
    except (RedisError, OSError) as error:
        log.warning("audio_log_left", meeting=meeting_id, error=type(error).__name__)


def _erase_traces() -> None:
    if deletions.may_wait or not deletions.forgotten:
        return
    forgotten, deletions.forgotten = deletions.forgotten, []
    if erasure.erase():
        tombstones.traces_are_erased(forgotten)
