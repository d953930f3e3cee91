"""A summary that an operator wants after all, of a meeting that is over too."""

from __future__ import annotations

from meetings import summaries
from meetings.models import Meeting, State
from meetings.waking import rouse


def summarise_now(meeting: Meeting) -> bool:
    """Asks for a summary; False when nothing was said since the last one. Raises what an unreachable broker raises."""
    if not summaries.ask(meeting.pk):
        return False
    if meeting.state == State.ENDED:
        rouse(meeting)
    return True
