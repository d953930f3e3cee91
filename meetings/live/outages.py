"""Notify viewers when this web process loses the database or the broker, and when it recovers.

Workers publish their own outages. A web process's outage has to be reported here, or a page could take it for silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import redis.asyncio
import structlog

from inference.audio import SAMPLE_RATE
from meetings import supervise
from meetings.broker import notices
from meetings.broker.audio_log import AudioLog, LogState
from meetings.live import wire
from meetings.models import Meeting, State
from meetings.queries import read_rows

if TYPE_CHECKING:
    from meetings.live.fanout import Feed

log = structlog.get_logger(__name__)

DEGRADED_AFTER_S = 2.0
"""Time without an answer from the database or the broker."""

NEGLECTED_S = 3.0
"""Seconds received beyond what is captioned, in a meeting that no worker holds: a healthy start needs less."""

CHECK_INTERVAL_S = 0.5
BROKER_PING_S = 1.0


def stored_meeting(meeting_id: str) -> Meeting | None:
    """Return the meeting with the attempts at its summary, which its host is told of each second."""
    return Meeting.objects.select_related("summary_attempt").filter(pk=meeting_id).first()


class Contact:
    """How long a dependency has not answered."""

    def __init__(self) -> None:
        self.lost_at: float | None = None
        """Monotonic seconds; None if the last call was answered."""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Track the block as a call. Until one succeeds, contact counts as lost since the first that did not."""
        if self.lost_at is None:
            self.lost_at = time.monotonic()
        yield
        self.lost_at = None

    def is_lost(self) -> bool:
        return self.lost_at is not None and time.monotonic() - self.lost_at > DEGRADED_AFTER_S


class OutageMonitor:
    """Watch the feeds of one process while there are any."""

    def __init__(self, broker: redis.asyncio.Redis, feeds: Callable[[], Collection[Feed]]) -> None:
        self._broker = broker
        self._feeds = feeds
        self._contact = Contact()
        self._tasks = (
            supervise.start("broker_ping", self._ping, pause_s=BROKER_PING_S),
            supervise.start("outage_watch", self._look, pause_s=CHECK_INTERVAL_S),
        )

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _ping(self) -> None:
        with self._contact.asking():
            await self._broker.ping()

    async def _look(self) -> None:
        """Notify the feeds whose status changed. After an error a feed stays degraded; the others are notified."""
        changed = [feed for feed in self._feeds() if self._is_cut_off(feed) != feed.is_degraded]
        results = await asyncio.gather(*map(self._tell, changed), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _is_cut_off(self, feed: Feed) -> bool:
        return self._contact.is_lost() or feed.database.is_lost()

    async def _tell(self, feed: Feed) -> None:
        if not feed.is_degraded:
            log.warning("feed_degraded", meeting=feed.meeting_id)
            feed.is_degraded = True
            await feed.pass_on(notices.notice("degraded"))
            return
        meeting = await read_rows(stored_meeting, feed.meeting_id)
        if meeting is not None:
            await feed.pass_on(current_notice(meeting, await AudioLog(self._broker).state(meeting.pk)))
        feed.is_degraded = False
        log.info("feed_recovered", meeting=feed.meeting_id)


def is_neglected(state: LogState, *, cursor: int = 0) -> bool:
    """Return whether nobody captions what was received. `cursor`: of the row, should the broker have lost its own."""
    return not state.is_held and state.next_sample - max(state.captioned, cursor) > NEGLECTED_S * SAMPLE_RATE


def current_notice(meeting: Meeting, state: LogState) -> notices.Notice:
    """Return the current state of a meeting as a notice, for viewers that join late."""
    if meeting.state != State.ENDED and is_neglected(state, cursor=meeting.cursor):
        return notices.notice("degraded")
    if meeting.state != State.LIVE or not state.phase:
        return notices.notice(cast(notices.NoticeState, meeting.state))
    behind_s = max(0, state.next_sample - state.captioned) / SAMPLE_RATE
    return wire.phase_notice(cast(notices.NoticeState, state.phase), until=state.until, behind_s=behind_s)
