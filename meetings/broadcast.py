"""Fan-out: one broker subscription per process and meeting, each message encoded once, each viewer bounded.

A hint from the broker may be lost; the database is the truth. A feed that hears a bell, or nothing for a while, reads
what is stored after the last `seq` it knows. A viewer that does not confirm what it got is held back, and resynced
when it does.

Daphne's `send` never waits and never refuses, so the bound has to be here: what a viewer has not confirmed is what the
server may have to keep in memory for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from meetings import events, metrics, transcript
from meetings.models import Caption

log = structlog.get_logger(__name__)

MAX_UNCONFIRMED = 500
"""Messages a viewer may leave unconfirmed before it is held back (about 250 kB of captions)."""

MAX_UNCONFIRMED_PARTIAL = 250
"""Partials stop earlier: a reader that lags needs finals."""

PAGE = 100
"""Stored captions read at a time."""

POLL_S = 5.0
"""How long a lost bell may go unnoticed."""

RETRY_S = 0.5

Send = Callable[[str], Awaitable[None]]

captions_after = database_sync_to_async(transcript.captions_after, thread_sensitive=False)
last_seq = database_sync_to_async(transcript.last_seq, thread_sensitive=False)


class Viewer:
    """One socket that reads a meeting: what it was sent, and what it confirmed."""

    def __init__(self, meeting_id: str, send: Send, *, after: int) -> None:
        self.meeting_id = meeting_id
        self.sent_seq = after
        self._send = send
        self._unconfirmed: deque[int] = deque()
        self._reading = asyncio.Lock()
        self._live = False
        self._held_back = False
        self._skipped_seq = 0

    @property
    def has_credit(self) -> bool:
        return len(self._unconfirmed) < MAX_UNCONFIRMED

    async def offer_stored(self, seq: int, text: str) -> None:
        """The next stored change; skipped while the viewer is behind, for it will read that from the database."""
        if seq <= self.sent_seq:
            return
        if self._live and self.has_credit:
            await self._deliver(seq, text)
            return
        self._skipped_seq = seq
        if self._live:
            self._hold_back()

    async def offer_passing(self, text: str) -> None:
        """A partial or a notice: worthless later, so dropped for a viewer that lags."""
        if self._live and len(self._unconfirmed) < MAX_UNCONFIRMED_PARTIAL:
            self._unconfirmed.append(self.sent_seq)
            await self._send(text)

    async def confirm(self, seq: int) -> None:
        """The viewer has read everything up to `seq`; if it was held back, it gets what it missed."""
        while self._unconfirmed and self._unconfirmed[0] <= seq:
            self._unconfirmed.popleft()
        if not self._live and self.has_credit:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Sends what is stored after the last sent change, as far as credit goes; then the viewer is live."""
        async with self._reading:
            if self._held_back:
                self._held_back = False
                await self._send(events.encode({"type": "resync", "after": self.sent_seq}))
            while self.has_credit:
                rows = await captions_after(self.meeting_id, self.sent_seq, limit=PAGE)
                await self._send_rows(rows)
                # A change that came between the reading and here was skipped: read once more.
                if not rows and self._skipped_seq <= self.sent_seq:
                    self._live = True
                    return

    async def _send_rows(self, rows: Sequence[Caption]) -> None:
        for row in rows:
            if not self.has_credit:
                return
            await self._deliver(row.seq, events.encode(events.caption(row)))

    async def _deliver(self, seq: int, text: str) -> None:
        self.sent_seq = seq
        self._unconfirmed.append(seq)
        await self._send(text)

    def _hold_back(self) -> None:
        self._live = False
        self._held_back = True
        metrics.viewers_held_back.inc()


class Feed:
    """One meeting in this process: what is known of it, and the viewers that read it here."""

    def __init__(self, meeting_id: str) -> None:
        self.meeting_id = meeting_id
        self.viewers: set[Viewer] = set()
        self._seq = 0
        self._reading = asyncio.Lock()

    async def handle(self, hints: Sequence[events.Bell | events.Passing]) -> None:
        """Passes on what came from the broker; what is lost, doubled or late there is made good by `read_stored`."""
        for hint in hints:
            if isinstance(hint, events.Bell):
                if hint.seq > self._seq:
                    await self.read_stored()
            else:
                text = events.encode(hint.message)
                for viewer in tuple(self.viewers):
                    await viewer.offer_passing(text)

    async def read_stored(self) -> None:
        """Reads once for everyone what was stored since the last reading, and encodes it once."""
        async with self._reading:
            while rows := await captions_after(self.meeting_id, self._seq, limit=PAGE):
                for row in rows:
                    text = events.encode(events.caption(row))
                    self._seq = row.seq
                    for viewer in tuple(self.viewers):
                        await viewer.offer_stored(row.seq, text)

    async def skip_stored(self) -> None:
        """Begins at what is stored now: viewers read what was before for themselves."""
        self._seq = await last_seq(self.meeting_id)


class Subscription:
    """Keeps one feed listening to the broker, through every outage of it."""

    def __init__(self, feed: Feed, broker: redis.asyncio.Redis) -> None:
        self.feed = feed
        self._broker = broker
        self._listening = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Waits until nothing that is stored from now on can be missed."""
        await self._listening.wait()

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        await self.feed.skip_stored()
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.warning("feed_interrupted", meeting=self.feed.meeting_id, error=str(error))
                self._listening.set()
                await self.feed.read_stored()
                await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with self._broker.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(events.events_channel(self.feed.meeting_id))
            await self.feed.read_stored()
            self._listening.set()
            while True:
                message = await subscription.get_message(timeout=POLL_S)
                if message is None:
                    await self.feed.read_stored()
                elif message["type"] == "message":
                    await self.feed.handle(events.unpack(message["data"]))


class Broadcaster:
    """The feeds of this process, one for each meeting that somebody here reads."""

    def __init__(self, connect: Callable[[], redis.asyncio.Redis]) -> None:
        self._connect = connect
        self._broker: redis.asyncio.Redis | None = None
        self._subscriptions: dict[str, Subscription] = {}

    @property
    def broker(self) -> redis.asyncio.Redis:
        """The process's client, made inside the running loop."""
        if self._broker is None:
            self._broker = self._connect()
        return self._broker

    async def join(self, viewer: Viewer) -> None:
        """Subscribes the viewer, then sends what is stored: nothing falls between the two."""
        subscription = self._subscriptions.get(viewer.meeting_id)
        if subscription is None:
            subscription = Subscription(Feed(viewer.meeting_id), self.broker)
            self._subscriptions[viewer.meeting_id] = subscription
        subscription.feed.viewers.add(viewer)
        metrics.viewers.inc()
        await subscription.ready()
        await viewer.catch_up()

    def leave(self, viewer: Viewer) -> None:
        """Ends the subscription with the meeting's last viewer here."""
        subscription = self._subscriptions.get(viewer.meeting_id)
        if subscription is None or viewer not in subscription.feed.viewers:
            return
        subscription.feed.viewers.remove(viewer)
        metrics.viewers.dec()
        if not subscription.feed.viewers:
            subscription.close()
            del self._subscriptions[viewer.meeting_id]
