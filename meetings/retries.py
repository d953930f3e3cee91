"""A summary that an operator wants after all, of a meeting that is over too."""

from __future__ import annotations

from asgiref.sync import async_to_sync

from meetings import summaries
from meetings.audiolog import AudioLog
from meetings.broker import connect
from meetings.models import Meeting, State

OPERATOR = "operator"
"""Keeps the log of a meeting that is over for the moment in which its end is written there."""


def summarise_now(meeting: Meeting) -> bool:
    """Asks for a summary; False when nothing was said since the last one. Raises what an unreachable broker raises."""
    if not summaries.ask(meeting.pk):
        return False
    if meeting.state == State.ENDED:
        async_to_sync(_wake)(meeting)
    return True


async def _wake(meeting: Meeting) -> None:
    """A worker finds the end in the log, as after the death of another, and closes the meeting with a summary."""
    broker = connect()
    try:
        log = AudioLog(broker)
        if await log.claim(meeting.pk, OPERATOR, takeover=False, cursor=meeting.cursor):
            await log.mark(meeting.pk, "end")
            await log.release(meeting.pk, OPERATOR)
    finally:
        await broker.aclose()
