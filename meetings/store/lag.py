"""Seconds by which captions lag behind the audio: current values of many meetings from the broker, and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import structlog
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import STATE_FIELDS, LogState, log_state, state_key
from meetings.broker.client import connect_sync
from meetings.database_errors import describe
from meetings.models import LagSample, Meeting, State

log = structlog.get_logger(__name__)

SAMPLE_S = 10.0
"""Between two stored samples: 360 rows an hour."""

MOVING_SAMPLE_S = 2.0
"""The same while the models are swapped out, and until captions have caught up."""


def lags(meetings: Iterable[Meeting]) -> dict[str, float]:
    """Return the seconds by meeting, without ended meetings; empty if the broker does not answer."""
    running = [meeting for meeting in meetings if meeting.state != State.ENDED]
    try:
        with connect_sync().pipeline(transaction=False) as asked:
            for meeting in running:
                asked.hmget(state_key(meeting.pk), STATE_FIELDS)
            answers = asked.execute()
    except (RedisError, OSError):
        return {}
    states = (log_state(cast("list[bytes | None]", answer)) for answer in answers)
    return {meeting.pk: lag_s(meeting, state) for meeting, state in zip(running, states, strict=True)}


def lag_s(meeting: Meeting, state: LogState) -> float:
    """Return the seconds of audio in the log that are not captioned yet."""
    return max(0, state.next_sample - max(state.captioned, meeting.cursor)) / SAMPLE_RATE


def keep(behind: Mapping[str, float]) -> None:
    """Store the current seconds by meeting; a database error only loses the sample."""
    now = timezone.now()
    try:
        LagSample.objects.bulk_create(
            LagSample(meeting_id=meeting_id, at=now, behind_s=round(seconds, 1))
            for meeting_id, seconds in behind.items()
        )
    except DatabaseError as error:
        log.warning("lag_not_kept", error=describe(error))
