"""A message to every socket every ten seconds, so that a page can tell a dead link from silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from meetings import supervise

if TYPE_CHECKING:
    from meetings.live.fanout import Feed

TICK_S = 10.0
"""Pages give a link up after twice this (`SILENCE_MS` in `static/js/socket.js`)."""


class Heartbeat:
    """The ticks of one process while it has feeds."""

    def __init__(self, feeds: Callable[[], Collection[Feed]]) -> None:
        self._feeds = feeds
        self._task = supervise.start("heartbeat", self._beat)

    def close(self) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        await asyncio.sleep(TICK_S)
        for feed in self._feeds():
            for viewer in tuple(feed.viewers):
                await viewer.tick()
