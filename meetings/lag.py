"""How far behind the sound the captions of many meetings are, asked of the broker at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings.audiolog import STATE_FIELDS, LogState, log_state, state_key
from meetings.broker import connect_sync
from meetings.models import Meeting, State


def lags(meetings: Iterable[Meeting]) -> dict[str, float]:
    """Seconds by meeting, of those that are not over; of none when the broker does not answer."""
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
    """Seconds of sound in the log that are not captioned."""
    return max(0, state.next_sample - max(state.captioned, meeting.cursor)) / SAMPLE_RATE
