"""Publish hints from a plain thread. Workers and sockets publish with clients of their own."""

from __future__ import annotations

import structlog
from redis.exceptions import RedisError

from meetings.broker.client import connect_sync
from meetings.broker.hints import Recheck, StoredChange, events_channel, pack

log = structlog.get_logger(__name__)

UPLOADS_CHANNEL = "parlance:uploads"


def notify_change(meeting_id: str, seq: int) -> None:
    """Publish that changes up to `seq` are stored. While the broker is away, feeds poll the database."""
    try:
        connect_sync().publish(events_channel(meeting_id), pack([StoredChange(seq)]))
    except (RedisError, OSError) as error:
        log.warning("broker_not_notified", meeting=meeting_id, error=str(error))


def notify_upload(meeting_id: str) -> None:
    """Publish that a recording waits for a worker. Workers that miss it look once a second."""
    try:
        connect_sync().publish(UPLOADS_CHANNEL, meeting_id)
    except (RedisError, OSError) as error:
        log.warning("broker_not_notified", meeting=meeting_id, error=str(error))


def notify_recheck(*meeting_ids: str) -> None:
    """Have the access of every open socket of the meetings checked again."""
    try:
        broker = connect_sync()
        for meeting_id in meeting_ids:
            broker.publish(events_channel(meeting_id), pack([Recheck()]))
    except (RedisError, OSError) as error:
        log.warning("broker_not_notified", meetings=len(meeting_ids), error=str(error))
