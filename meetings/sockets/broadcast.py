"""Fan-out: one broker subscription per process and meeting, each message encoded once a language, each viewer bounded.

A hint from the broker may be lost; the database is the truth. A feed that hears a bell, or nothing for a while, reads
what is stored after the last `seq` it knows. A viewer that does not confirm what it got is held back, and resynced
when it does.

Daphne's `send` never waits and never refuses, so the bound has to be here: what a viewer has not confirmed is what the
server may have to keep in memory for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from meetings.accounts.admission import Admission, dismiss_uninvited
from meetings.models import Meeting
from meetings.operators import metrics
from meetings.rows import transcript
from meetings.rows.transcript import Change
from meetings.sockets import events
from meetings.sockets.readership import TELL_S, Readership

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

ADMISSION_S = 60.0
"""How long a link that expired, or whose revocation nobody heard, keeps its sockets open at most."""

Send = Callable[[str], Awaitable[None]]

changes_after = database_sync_to_async(transcript.changes_after, thread_sensitive=False)
last_seq = database_sync_to_async(transcript.last_seq, thread_sensitive=False)


@database_sync_to_async
def find_meeting(meeting_id: str) -> Meeting | None:
    return Meeting.objects.filter(pk=meeting_id).first()


class EncodedChange:
    """A stored change as the wire carries it, encoded once for each language that is read here."""

    def __init__(self, row: Change) -> None:
        self.seq = row.seq
        self._row = row
        self._texts: dict[str, str] = {}

    def text(self, language: str) -> str:
        if language not in self._texts:
            self._texts[language] = events.encode(events.change(self._row, language))
        return self._texts[language]


class EncodedPassing:
    """A partial or a notice as the wire carries it, encoded once for each interface language."""

    def __init__(self, message: events.PartialMessage | events.Notice) -> None:
        self._message = message
        self._texts: dict[str, str] = {}

    def text(self, interface: str) -> str:
        if interface not in self._texts:
            message = self._message
            told = events.in_interface(message, interface) if message["type"] == "notice" else message
            self._texts[interface] = events.encode(told)
        return self._texts[interface]


class Viewer:
    """One socket that reads a meeting: what it was sent, and what it confirmed."""

    def __init__(
        self,
        meeting_id: str,
        send: Send,
        *,
        after: int,
        language: str = "",
        interface: str = events.INTERFACE,
        admission: Admission | None = None,
    ) -> None:
        """`language`: what is read; empty: what was said. `interface`: what notices are written in.

        `admission`: what it came in with; None: whoever opened it minds that.
        """
        self.admission = admission
        self.meeting_id = meeting_id
        self.language = language
        self.interface = interface
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

    async def offer_stored(self, change: EncodedChange) -> None:
        """The next stored change; skipped while the viewer is behind, for it will read that from the database."""
        if change.seq <= self.sent_seq:
            return
        if self._live and self.has_credit:
            await self._deliver(change.seq, change.text(self.language))
            return
        self._skipped_seq = change.seq
        if self._live:
            self._hold_back()

    async def offer_passing(self, passing: EncodedPassing) -> None:
        """A partial or a notice: worthless later, so dropped for a viewer that lags."""
        if self._live and len(self._unconfirmed) < MAX_UNCONFIRMED_PARTIAL:
            self._unconfirmed.append(self.sent_seq)
            await self._send(passing.text(self.interface))

    async def confirm(self, seq: int) -> None:
        """The viewer has read everything up to `seq`; if it was held back, it gets what it missed."""
        while self._unconfirmed and self._unconfirmed[0] <= seq:
            self._unconfirmed.popleft()
        if not self._live and self.has_credit:
            await self.catch_up()

    async def read_in(self, language: str) -> None:
        """Everything once more, in another language."""
        async with self._reading:
            self.language = language
            # What it was sent still counts against its credit, until it confirms anything of what comes now.
            self._unconfirmed = deque([0] * len(self._unconfirmed))
            self.sent_seq = 0
            self._live = False
            self._held_back = True
        await self.catch_up()

    async def catch_up(self) -> None:
        """Sends what is stored after the last sent change, as far as credit goes; then the viewer is live."""
        async with self._reading:
            if self._held_back:
                self._held_back = False
                await self._send(events.encode({"type": "resync", "after": self.sent_seq}))
            while self.has_credit:
                rows = await changes_after(self.meeting_id, self.sent_seq, limit=PAGE)
                await self._send_rows(rows)
                # A change that came between the reading and here was skipped: read once more.
                if not rows and self._skipped_seq <= self.sent_seq:
                    self._live = True
                    return

    async def _send_rows(self, rows: Sequence[Change]) -> None:
        for row in rows:
            if not self.has_credit:
                return
            await self._deliver(row.seq, events.encode(events.change(row, self.language)))

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

    async def handle(self, hints: Sequence[events.Hint]) -> None:
        """Passes on what came from the broker; what is lost, doubled or late there is made good by `read_stored`."""
        for hint in hints:
            if isinstance(hint, events.Bell):
                if hint.seq > self._seq:
                    await self.read_stored()
            elif isinstance(hint, events.Recheck):
                await self.recheck()
            else:
                passing = EncodedPassing(hint.message)
                for viewer in tuple(self.viewers):
                    await viewer.offer_passing(passing)

    async def recheck(self, *viewers: Viewer) -> None:
        """Sends out whom links, passwords and sign-ins no longer let in: of `viewers`, or of all.

        Who joins is asked once more when nothing can be missed any longer: the door was open a moment before.
        """
        asked = viewers or tuple(self.viewers)
        admissions = [viewer.admission for viewer in asked if viewer.admission is not None]
        await dismiss_uninvited(await find_meeting(self.meeting_id), admissions)

    async def read_stored(self) -> None:
        """Reads once for everyone what was stored since the last reading."""
        async with self._reading:
            while rows := await changes_after(self.meeting_id, self._seq, limit=PAGE):
                for change in map(EncodedChange, rows):
                    self._seq = change.seq
                    for viewer in tuple(self.viewers):
                        await viewer.offer_stored(change)

    @property
    def languages(self) -> frozenset[str]:
        """What is read here beside what was said."""
        return frozenset(viewer.language for viewer in self.viewers if viewer.language)

    async def skip_stored(self) -> None:
        """Begins at what is stored now: viewers read what was before for themselves."""
        self._seq = await last_seq(self.meeting_id)


class Subscription:
    """Keeps one feed listening to the broker, through every outage of it."""

    def __init__(self, feed: Feed, broker: redis.asyncio.Redis) -> None:
        self.feed = feed
        self._broker = broker
        self._readership = Readership(broker)
        self._listening = asyncio.Event()
        self._tasks = tuple(asyncio.create_task(loop()) for loop in (self._run, self._tell_readership, self._recheck))

    async def ready(self) -> None:
        """Waits until nothing that is stored from now on can be missed."""
        await self._listening.wait()

    async def tell_languages(self) -> None:
        """Lets the workers know at once what is read here."""
        with contextlib.suppress(RedisError, OSError):
            await self._readership.tell(self.feed.meeting_id, self.feed.languages)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _tell_readership(self) -> None:
        while True:
            await self.tell_languages()
            await asyncio.sleep(TELL_S)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(ADMISSION_S)
            await self.feed.recheck()

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
        await subscription.tell_languages()
        await viewer.catch_up()
        await subscription.feed.recheck(viewer)

    async def change_language(self, viewer: Viewer, language: str) -> None:
        """Goes on in another language, without a new connection."""
        subscription = self._subscriptions.get(viewer.meeting_id)
        await viewer.read_in(language)
        if subscription is not None:
            await subscription.tell_languages()

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
