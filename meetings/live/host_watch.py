"""Tell readers when nothing comes from their host, and when the host is back.

The host's beat lives in the broker and expires by itself (`audio_log.beat_key`), so every process can tell, also when
the one that held the host's socket has died. A beat that cannot be asked for is an outage, not an absence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import redis.asyncio

from meetings import supervise
from meetings.broker.audio_log import AudioLog
from meetings.broker.notices import notice
from meetings.live.outages import current_notice, stored_meeting
from meetings.live.viewers import EncodedBroadcast
from meetings.models import Meeting, State
from meetings.queries import read_rows

if TYPE_CHECKING:
    from meetings.live.fanout import Feed

LOOK_S = 0.5
"""With the beat's TTL, an absence is told within four seconds."""

ASK_AGAIN_S = 5.0
"""How often the row of a meeting is read that nobody hosts and that waits for nobody."""

GREATER_STATES = ("host_away", "degraded", "ended")
"""States that an absence does not replace."""


def waits_for_host(meeting_id: str) -> bool:
    """Return whether the meeting has begun and goes on by its host; a recording needs none."""
    running = Meeting.objects.filter(pk=meeting_id, state__in=(State.LIVE, State.PAUSED), upload=None)
    return running.exists()


async def is_host_away(audio: AudioLog, meeting_id: str) -> bool:
    [is_heard] = await audio.heard([meeting_id])
    return not is_heard and await read_rows(waits_for_host, meeting_id)


class HostWatch:
    """Watch the hosts of one process's feeds while there are any."""

    def __init__(self, broker: redis.asyncio.Redis, feeds: Callable[[], Collection[Feed]]) -> None:
        self._audio = AudioLog(broker)
        self._feeds = feeds
        self._task = supervise.start("host_watch", self._look, pause_s=LOOK_S)

    def close(self) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        feeds = list(self._feeds())
        heard = await self._audio.heard([feed.meeting_id for feed in feeds])
        results = await asyncio.gather(*map(self._follow, feeds, heard), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _follow(self, feed: Feed, is_heard: bool) -> None:
        if is_heard:
            feed.is_host_away, feed.host_looked_for_at = False, 0.0
        elif not feed.is_host_away and time.monotonic() - feed.host_looked_for_at > ASK_AGAIN_S:
            feed.is_host_away = await read_rows(waits_for_host, feed.meeting_id)
            feed.host_looked_for_at = time.monotonic()
        if feed.is_host_away:
            await self._tell_absence(feed)
        else:
            await self._tell_return(feed)

    async def _tell_absence(self, feed: Feed) -> None:
        absence = EncodedBroadcast(notice("host_away"))
        for viewer in tuple(feed.viewers):
            if viewer.reads_only and viewer.state not in GREATER_STATES:
                await viewer.offer_passing(absence)

    async def _tell_return(self, feed: Feed) -> None:
        waiting = [viewer for viewer in feed.viewers if viewer.state == "host_away"]
        meeting = await read_rows(stored_meeting, feed.meeting_id) if waiting else None
        if meeting is None:
            return
        present = EncodedBroadcast(current_notice(meeting, await self._audio.state(meeting.pk)))
        for viewer in waiting:
            await viewer.offer_passing(present)
