"""Write a worker's changes to the database first, then publish hints through the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

import redis.asyncio

from meetings import supervise
from meetings.broker.audio_log import AudioLog
from meetings.broker.hints import Broadcast, Hint, StoredChange, events_channel, pack
from meetings.broker.notices import NoticeState, end_notice, notice
from meetings.models import State
from meetings.queries import in_database
from meetings.store import transcript
from meetings.supervise import Outage
from meetings.worker.stream import MeetingStream, Phase

P = ParamSpec("P")
T = TypeVar("T")

SLOW_STORE_S = 3.0
"""Viewers are notified of a slower write: a locked database raises an error only after twenty seconds."""


class Publisher:
    """Database writes and hints for one worker's meetings."""

    def __init__(self, broker: redis.asyncio.Redis, *, on_outage: Callable[[Outage], object] = lambda _: None) -> None:
        """Call `on_outage` at every attempt that finds the database or the broker away."""
        self._broker = broker
        self._audio = AudioLog(broker)
        self._on_outage = on_outage
        self._waiting = 0

    @property
    def waits_for_database(self) -> bool:
        """Whether a write is slow, or is being retried."""
        return self._waiting > 0

    async def store(self, stream: MeetingStream, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a store function, again and again while the database is away. The audio is safe in the log meanwhile.

        Raises permanent database errors and broker outages.
        """

        is_waiting = False

        async def told(outage: Outage) -> None:
            nonlocal is_waiting
            self._on_outage(outage)
            if outage is Outage.DATABASE and not is_waiting:
                is_waiting = True
                self._waiting += 1
                await self.set_phase(stream, "degraded")

        try:
            return await supervise.retry(
                lambda: warn_if_slow(lambda: in_database(verb, *args, **kwargs), told), on_outage=told
            )
        finally:
            self._waiting -= is_waiting

    async def store_and_publish(
        self, stream: MeetingStream, verb: Callable[P, int], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Call a store function that returns the meeting's newest `seq`, and publish a hint for it."""
        seq = await self.store(stream, verb, *args, **kwargs)
        await self.publish(stream, [StoredChange(seq)])

    async def publish(self, stream: MeetingStream, hints: Sequence[Hint]) -> None:
        """Publish hints to every subscriber of the meeting."""
        if hints:
            await self._broker.publish(events_channel(stream.meeting_id), pack(hints))

    async def notify(
        self,
        stream: MeetingStream,
        state: NoticeState,
        *,
        behind_s: float = 0.0,
        expected_s: float | None = None,
    ) -> None:
        await self.publish(stream, [Broadcast(notice(state, behind_s=behind_s, expected_s=expected_s))])

    async def set_state(self, stream: MeetingStream, state: State) -> None:
        """Set the meeting's state and publish it, if it changes. Raises LeaseLost."""
        if stream.state is state:
            return
        await self.store(stream, transcript.set_state, stream.lease, state)
        stream.state = state
        await self.notify(stream, "paused" if state is State.PAUSED else "ended" if state is State.ENDED else "live")

    async def set_summary_due(self, stream: MeetingStream, *, is_due: bool, failure: str) -> None:
        """Publish whether an ended meeting's last summary is still to be written, and store it for late joiners.

        `failure`: why it is put off (`SummaryFailure`); empty: it is not. Late joiners read it in its row.
        """
        phase = "summarizing" if is_due else ""
        await self._audio.report(stream.meeting_id, captioned=stream.captioned, phase=phase)
        await self.publish(stream, [Broadcast(end_notice(summary_due=is_due, summary_failure=failure))])

    async def set_phase(
        self, stream: MeetingStream, phase: Phase, *, behind_s: float = 0.0, expected_s: float | None = None
    ) -> None:
        """Publish the phase, and store it for late joiners. While catching up, publish the lag on every call."""
        if phase == stream.phase and phase != "catching_up":
            return
        stream.phase = phase
        await self._audio.report(
            stream.meeting_id,
            captioned=stream.captioned,
            phase=phase,
            until=time.time() + expected_s if expected_s else 0.0,
        )
        if stream.phase == phase:  # a newer phase may have been set while the broker answered
            await self.notify(stream, phase or "live", behind_s=behind_s if phase else 0.0, expected_s=expected_s)


async def warn_if_slow(write: Callable[[], Awaitable[T]], tell: Callable[[Outage], Awaitable[object]]) -> T:
    """Await the write, and report a database outage when it takes longer than SLOW_S."""
    task = asyncio.ensure_future(write())
    try:
        done, _ = await asyncio.wait({task}, timeout=SLOW_STORE_S)
        if not done:
            await tell(Outage.DATABASE)
        return await task
    finally:
        task.cancel()
