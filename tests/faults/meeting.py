"""A meeting of the real product that goes on while something fails: a host who speaks, a viewer who reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from tests.live import Host, MeetingLinks, Message, Reader

LOOK_S = 0.05
PATIENCE_S = 240.0
"""For one step of a meeting on a busy machine."""

SPEED = 2.0
"""Times real time: the clips outlast the faults, and two meetings at once are no burden."""

SLOWLY = 0.5
"""The same of a bystander, who has to have something to say for as long as the others' fault lasts."""

HURRY = 4.0
"""The same when nothing is waited for any more: what the server takes at once."""

MID_SENTENCE = 95
"""Frame: in both clips a sentence is being spoken 9.5 s after the begin."""


class LiveMeeting:
    """To be used as a context within an event loop; the host begins at once, and ends the meeting after its clip."""

    def __init__(self, links: MeetingLinks, frames: list[bytes], *, speed: float = SPEED, host: type[Host] = Host):
        self.links = links
        self.host = host(links, list(frames), speed=speed)
        self.reader = Reader(links)
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> LiveMeeting:
        self._tasks = (asyncio.create_task(self.host.play()), asyncio.create_task(self.reader.watch()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def texts(self) -> int:
        """How often words reached the viewer's screen."""
        return sum(message["type"] in ("partial", "caption") for _, message in self.reader.messages)

    async def until(self, condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
        """Raises TimeoutError when it does not come true, and what host or viewer raised."""
        deadline = time.monotonic() + within_s
        while not condition():
            for task in self._tasks:
                if task.done():
                    task.result()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within_s:.0f} s; told so far: {self.told()}, {self.texts} texts")
            await asyncio.sleep(LOOK_S)

    async def sent(self, frame: int) -> None:
        """Returns when the frame is acknowledged."""
        await self.until(lambda: self.host.acked >= frame)

    async def read_on(self, texts: int = 1, *, within_s: float = PATIENCE_S) -> None:
        """Returns when words have come that many times again."""
        before = self.texts

        def has_come() -> bool:
            assert not self.reader.ended.is_set(), "the meeting ended before"
            return self.texts >= before + texts

        await self.until(has_come, within_s=within_s)

    async def be_told(self, state: str, *, since: float, within_s: float = PATIENCE_S) -> None:
        """Returns when viewers have had this notice after the moment `since` (monotonic)."""
        await self.until(lambda: state in self.told(since=since), within_s=within_s)

    def told(self, *, since: float = 0.0) -> list[str]:
        """The states that notices told viewers since that moment."""
        return [message["state"] for at, message in self.reader.messages if message["type"] == "notice" and at >= since]

    async def end(self) -> list[Message]:
        """Until host and viewer know that the meeting is over; the transcript, which is a newcomer's too."""
        self.host.speed = HURRY
        await self.until(lambda: all(task.done() for task in self._tasks))
        for task in self._tasks:
            task.result()
        transcript = self.reader.transcript()
        assert await Reader(self.links).snapshot() == transcript
        return transcript


@dataclass(frozen=True, slots=True)
class Clip:
    """What a host says, and what viewers read when nothing disturbs it."""

    frames: list[bytes]
    captions: list[Message]
