"""A meeting of the real product that is played in stretches, with summaries and faults in between."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect

from tests.fatal_settings import Line, schedule, scheduled
from tests.live import Host, MeetingLinks, Message, Reader, RunningParlance

SPEED = 3.0
"""Times real time."""

FRAMES_PER_S = 10
BREATH_S = 0.2
LOOK_S = 0.05
AGAIN_S = 0.5
"""Between two frames of a host that has nothing new to send."""

PATIENCE_S = 180.0
"""For one recovery on a busy machine."""


async def play_whole(parlance: RunningParlance, frames: list[bytes]) -> list[Message]:
    """The transcript of a meeting that nothing disturbs."""
    meeting = StagedMeeting(parlance, frames)
    await meeting.end()
    return meeting.reader.transcript()


class StagedMeeting:
    """One host and one viewer. To be made inside of an event loop."""

    def __init__(self, parlance: RunningParlance, frames: list[bytes]) -> None:
        self.parlance = parlance
        self.links: MeetingLinks = parlance.create_meeting()
        self.reader = Reader(self.links)
        self._frames = frames
        self._host = Host(self.links, frames, speed=SPEED)
        self._monitor = asyncio.create_task(self.reader.watch())

    async def play_until(self, caption: Message) -> None:
        """To its begin, where nobody speaks, so that nothing waits for a pause; returns when there are new captions."""
        before = self._complete
        await self._play(round((caption["start"] - BREATH_S) * FRAMES_PER_S))
        await until(lambda: self._complete > before)

    @property
    def _complete(self) -> int:
        """Captions that grow no more: a summary is of these."""
        return sum(not caption.get("open") for caption in self.reader.captions.values())

    async def play_almost_all(self) -> None:
        """But for one frame: when that is acknowledged, the meeting may end."""
        await self._play(len(self._frames) - 1)

    async def end(self) -> None:
        """Plays what is left; returns when the viewer knows that the meeting is over."""
        self._host.frames = self._frames
        await asyncio.wait_for(self._host.play(), PATIENCE_S)
        await asyncio.wait_for(self._monitor, PATIENCE_S)

    async def ask(self) -> None:
        """For a summary, now."""
        async with connect(self.links.host(session=self._host.session)) as socket:
            assert json.loads(await socket.recv())["type"] == "ready"
            await socket.send('{"type":"summarize"}')
            # Whoever hangs up at once may not be heard by a busy server.
            while json.loads(await socket.recv())["type"] != "ledger":
                continue

    async def die_in(self, state: Sequence[Line]) -> None:
        """Asks for a summary, and returns when the worker has died of it."""
        schedule(self.parlance.data, [list(state)])
        await self.ask()
        await until(lambda: not scheduled(self.parlance.data))

    async def have_summaries(self, count: int) -> None:
        await until(lambda: len(self.reader.summaries) >= count)

    async def be_told(self, state: str, *, times: int = 1) -> None:
        """By notices to viewers."""
        await until(lambda: self.notices(state) >= times)

    async def be_told_while_there(self, state: str, *, times: int = 1) -> None:
        """The same while the host's page goes on sending: viewers are told of a host who is silent instead."""
        async with connect(self.links.host(session=self._host.session)) as socket:
            number = json.loads(await socket.recv())["next_frame"] - 1
            reading = asyncio.create_task(_read_all(socket))
            async with asyncio.timeout(PATIENCE_S):
                while self.notices(state) < times:
                    await socket.send(struct.pack(">I", number) + self._frames[number])
                    await asyncio.sleep(AGAIN_S)
            reading.cancel()

    def notices(self, state: str) -> int:
        """How often viewers were told so."""
        return sum(message["type"] == "notice" and message["state"] == state for _, message in self.reader.messages)

    async def host_reads(self, sentence: str) -> Message:
        """The first word to the host that gives this reason for a summary that is put off."""
        async with connect(self.links.host(session=self._host.session)) as socket:
            async with asyncio.timeout(PATIENCE_S):
                async for text in socket:
                    message: Message = json.loads(text)
                    if message["type"] == "ledger" and message["summary_trouble"] == sentence:
                        return message
        raise AssertionError("the socket was closed")

    async def _play(self, frames: int) -> None:
        self._host.frames = self._frames[:frames]
        self._host.started = time.monotonic() - (self._host.acked + 1) / FRAMES_PER_S / SPEED
        await asyncio.wait_for(self._host.play(end=False), PATIENCE_S)


async def _read_all(socket: ClientConnection) -> None:
    async for _ in socket:
        continue


async def until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when it does not come true."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is other processes' work
            await asyncio.sleep(LOOK_S)
