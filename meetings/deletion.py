"""Deleting a meeting deletes all of it: rows by the database, its sound and the broker's keys here."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from redis.exceptions import RedisError

from meetings import chunks, recordings
from meetings.audiolog import ACTIVE, audio_key, host_key, state_key
from meetings.bell import ask_again
from meetings.broker import connect_sync
from meetings.models import DiscardedResults, Meeting, State
from meetings.readership import languages_key

log = structlog.get_logger(__name__)


@receiver(post_delete, sender=Meeting)
def forget_sound(instance: Meeting, **_: Any) -> None:
    """Removes sound and audio log, whichever page or command deleted the row; a worker removes its stored files."""
    recordings.delete(instance.pk)
    meeting_id = instance.pk
    transaction.on_commit(lambda: ask_again(meeting_id))
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
