"""The host's status message, about once a second: what became of the audio, and when the next summary is due."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import LogState
from meetings.live.wire import Ledger
from meetings.models import Meeting, State, SummaryAttempt
from meetings.store import summary_attempts, summary_status

STATUS_DECIMALS = 2
"""Decimals of seconds: audio arrives in tenths."""


def host_status(meeting: Meeting, state: LogState) -> Ledger:
    """Return the figures of a meeting, from its row and its audio log."""
    captioned = max(state.captioned, meeting.cursor)
    durable = max(state.next_sample, captioned)  # the log of a meeting that ended is gone
    attempt = summary_attempts.attempt_of(meeting)
    return Ledger(
        type="ledger",
        captured_s=_seconds(durable),
        durable_s=_seconds(durable),
        captioned_s=_seconds(captioned),
        behind_s=_seconds(durable - captioned),
        missing_s=round(meeting.missing_s, STATUS_DECIMALS),
        language=meeting.language,
        detected_language=state.detected or None,
        next_summary_s=_next_summary_s(meeting),
        summary_trouble=summary_status.sentence(attempt.error),
        retry_summary_s=_retry_summary_s(attempt),
    )


def _next_summary_s(meeting: Meeting) -> float | None:
    """Return the seconds until the next summary by interval; 0.0 if it is due as soon as there is something new."""
    if meeting.state == State.ENDED or meeting.summary_every_s is None:
        return None
    at = summary_attempts.next_due(meeting)
    return None if at is None else _until(at)


def _retry_summary_s(attempt: SummaryAttempt) -> float | None:
    if attempt.not_before is None or not attempt.error or summary_status.is_permanent(attempt.error):
        return None
    return _until(attempt.not_before)


def _until(moment: datetime) -> float:
    return round(max(0.0, (moment - timezone.now()).total_seconds()), STATUS_DECIMALS)


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, STATUS_DECIMALS)
