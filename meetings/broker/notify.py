"""Rings for a stored change from a plain thread; workers and sockets ring with clients of their own."""

from __future__ import annotations

import structlog
from redis.exceptions import RedisError

from meetings.broker.client import connect_sync
from meetings.broker.hints import Recheck, StoredChange, events_channel, pack

log = structlog.get_logger(__name__)


def notify_change(meeting_id: str, seq: int) -> None:
    """Tells every process that serves readers to read up to `seq`; when the broker is away they look by themselves."""
    try:
        connect_sync().publish(events_channel(meeting_id), pack([StoredChange(seq)]))
    except (RedisError, OSError) as error:
        log.warning("bell_not_heard", meeting=meeting_id, error=str(error))


def notify_recheck(*meeting_ids: str) -> None:
    """Has every open socket of the meetings asked whether what it came in with still opens them."""
    try:
        broker = connect_sync()
        for meeting_id in meeting_ids:
            broker.publish(events_channel(meeting_id), pack([Recheck()]))
    except (RedisError, OSError) as error:
        log.warning("bell_not_heard", meetings=len(meeting_ids), error=str(error))
