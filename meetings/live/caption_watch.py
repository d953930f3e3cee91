"""Tell people when nobody captions what was received, and when somebody does again.

A worker that died tells nothing, and until the next one has caught up a page would take its silence for that of the
room. Its lease expires by itself (`broker.leases`), so every web process can tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import redis.asyncio

from meetings import supervise
from meetings.broker.audio_log import AudioLog, LogState
from meetings.live.outages import current_notice, is_neglected, stored_meeting
from meetings.live.viewers import EncodedBroadcast
from meetings.queries import read_rows

if TYPE_CHECKING:
    from meetings.live.fanout import Feed

LOOK_S = 0.5
HANDOVER_S = 2.0
"""How long a meeting may be without a worker, as when one hands it to another."""


class CaptionWatch:
    """Watch the log of one process's feeds while there are any."""

    def __init__(self, broker: redis.asyncio.Redis, feeds: Callable[[], Collection[Feed]]) -> None:
        self._audio = AudioLog(broker)
        self._feeds = feeds
        self._task = supervise.start("caption_watch", self._look, pause_s=LOOK_S)

    def close(self) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        feeds = [feed for feed in self._feeds() if not feed.is_degraded]
        states = await self._audio.states([feed.meeting_id for feed in feeds])
        results = await asyncio.gather(*map(self._follow, feeds, states), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _follow(self, feed: Feed, state: LogState) -> None:
        if not is_neglected(state):
            feed.neglected_at = None
            if state.phase != "degraded" and any(viewer.state == "degraded" for viewer in feed.viewers):
                await self._tell(feed)
            return
        feed.neglected_at = feed.neglected_at or time.monotonic()
        is_handover = time.monotonic() - feed.neglected_at < HANDOVER_S
        if not is_handover and any(viewer.state not in ("degraded", "ended") for viewer in feed.viewers):
            await self._tell(feed)

    async def _tell(self, feed: Feed) -> None:
        """Tell the present state to those who were told another one."""
        meeting = await read_rows(stored_meeting, feed.meeting_id)
        if meeting is None:
            return
        told = EncodedBroadcast(current_notice(meeting, await self._audio.state(meeting.pk)))
        for viewer in tuple(feed.viewers):
            if viewer.state != told.state:
                await feed.offer(viewer, told)
