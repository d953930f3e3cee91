"""Fan-out: one broker subscription per process and meeting; each message is encoded once per language.

Hints from the broker may be lost; the database is the truth. After a hint, or a while without one, a feed reads what is
stored after the last `seq` it knows. A feed survives outages of both: it resumes where it was, and viewers receive
everything that they missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from meetings import metrics, supervise
from meetings.broker.audio_capacity import AudioCapacity
from meetings.broker.hints import Hint, PartialMessage, Recheck, StoredChange, events_channel, unpack
from meetings.broker.notices import Notice, notice
from meetings.broker.reader_languages import TELL_S, ReaderLanguages
from meetings.broker.subscription import BrokerSubscription
from meetings.live.admission import dismiss_uninvited
from meetings.live.caption_watch import CaptionWatch
from meetings.live.heartbeat import Heartbeat
from meetings.live.host_watch import HostWatch
from meetings.live.outages import Contact, OutageMonitor, stored_meeting
from meetings.live.presence import Presence
from meetings.live.viewers import PAGE, EncodedBroadcast, EncodedChange, Viewer
from meetings.offers import meeting_languages
from meetings.queries import read_rows
from meetings.store import transcript

READY_S = 5.0
"""How long a viewer waits for its feed to subscribe. Its page then tries again."""

ADMISSION_S = 60.0
"""How long a socket may stay open after its link expired, or after a lost hint of its revocation."""

HIDDEN_BY_ABSENCE = ("live", "paused", "catching_up", "summarizing")
"""States that say less than that nothing comes from the host."""


class FeedNotReady(Exception):
    """The feed cannot start: the database or the broker does not answer."""


class Feed:
    """One meeting in this process: the last `seq` read, and its viewers here."""

    def __init__(self, meeting_id: str) -> None:
        self.meeting_id = meeting_id
        self.viewers: set[Viewer] = set()
        self.database = Contact()
        self.is_degraded = False
        """Whether its viewers were notified of an outage."""
        self.is_host_away = False
        self.host_looked_for_at = 0.0
        """Monotonic seconds at which the absent host's meeting was read last; 0.0: the host is heard."""
        self.neglected_at: float | None = None
        """Monotonic seconds since when nobody captions what was received; None: somebody does."""
        self._seq = 0
        self._reading = asyncio.Lock()

    async def handle(self, hints: Sequence[Hint]) -> None:
        """Handle hints from the broker. `read_stored` makes up for lost, duplicate or late ones."""
        for hint in hints:
            if isinstance(hint, StoredChange):
                if hint.seq > self._seq:
                    await self.read_stored()
            elif isinstance(hint, Recheck):
                await self.recheck()
            else:
                await self.pass_on(hint.message)

    async def pass_on(self, message: PartialMessage | Notice) -> None:
        """Send a partial or a notice, which is not stored, to all viewers."""
        passing = EncodedBroadcast(message)
        for viewer in tuple(self.viewers):
            await self.offer(viewer, passing)

    async def offer(self, viewer: Viewer, passing: EncodedBroadcast) -> None:
        """Send a partial or a notice to one viewer. Of an absent host readers are told, not of states that say less."""
        if self.is_host_away and viewer.reads_only and passing.state in HIDDEN_BY_ABSENCE:
            await self._repeat_absence(viewer)
        else:
            await viewer.offer_passing(passing)

    async def _repeat_absence(self, viewer: Viewer) -> None:
        """Tell the absence again to a viewer that was told something else since."""
        if viewer.state != "host_away":
            await viewer.offer_passing(EncodedBroadcast(notice("host_away")))

    async def recheck(self, *viewers: Viewer) -> None:
        """Read the meeting's row again for `viewers`, or for all: close the sockets whose links, passwords or sign-ins
        are no longer valid, and tell the others of another spoken language.

        Check a new viewer's access again after subscribing: it may have been revoked between the handshake and the
        subscription.
        """
        asked = viewers or tuple(self.viewers)
        admissions = [viewer.admission for viewer in asked if viewer.admission is not None]
        meeting = await read_rows(stored_meeting, self.meeting_id)
        await dismiss_uninvited(meeting, admissions)
        if meeting is not None:
            languages = meeting_languages(settings.ENVIRONMENT, meeting)
            for viewer in asked:
                await viewer.follow_language(meeting.language, languages)

    async def read_stored(self) -> None:
        """Read once for all viewers what was stored since the last call."""
        async with self._reading:
            with self.database.asking():
                while rows := await read_rows(transcript.changes_after, self.meeting_id, self._seq, limit=PAGE):
                    for change in map(EncodedChange, rows):
                        for viewer in tuple(self.viewers):
                            await viewer.offer_stored(change)
                        self._seq = change.seq

    @property
    def languages(self) -> frozenset[str]:
        """The translations read here."""
        return frozenset(viewer.language for viewer in self.viewers if viewer.language)

    async def skip_stored(self) -> None:
        """Start at the newest `seq`: viewers read earlier changes themselves."""
        with self.database.asking():
            self._seq = await read_rows(transcript.last_seq, self.meeting_id)


class Subscription:
    """Keep one feed subscribed to the broker, through outages of the broker and the database."""

    def __init__(self, feed: Feed, broker: redis.asyncio.Redis) -> None:
        self.feed = feed
        self._reader_languages = ReaderLanguages(broker)
        self._channel = BrokerSubscription(broker, events_channel(feed.meeting_id))
        self._owes_reading = False
        self._owes_recheck = False
        self._listening = asyncio.Event()
        self._tasks = (
            asyncio.create_task(self._run(), name="feed"),
            supervise.start("readership", self._report_languages, pause_s=TELL_S),
            supervise.start("admission", self._recheck),
        )

    async def ready(self) -> None:
        """Wait until no later change can be missed. Raises FeedNotReady."""
        try:
            async with asyncio.timeout(READY_S):
                await self._listening.wait()
        except TimeoutError as error:
            raise FeedNotReady from error

    async def tell_languages(self) -> None:
        """Publish at once which languages are read here. While the broker is away, the next interval does it."""
        with suppress(RedisError, ConnectionError):
            await self._report_languages()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _report_languages(self) -> None:
        await self._reader_languages.report(self.feed.meeting_id, self.feed.languages)

    async def _recheck(self) -> None:
        await asyncio.sleep(ADMISSION_S)
        await self.feed.recheck()

    async def _run(self) -> None:
        try:
            await supervise.run_forever("feed", self._follow)
        finally:
            await self._channel.close()

    async def _follow(self) -> None:
        """Handle one message from the broker, after what is left over from the last one."""
        if not self._channel.is_open:
            await self._open()
        if not self._listening.is_set():
            await self.feed.skip_stored()
            self._listening.set()
        if self._owes_reading:
            await self.feed.read_stored()
            self._owes_reading = False
        if self._owes_recheck:
            await self.feed.recheck()
            self._owes_recheck = False
        message = await self._channel.next()
        if message is None:
            self._owes_reading = True  # a hint may have been lost
        else:
            await self._take(unpack(message))

    async def _open(self) -> None:
        """Subscribe. While the broker is away, read the database at each attempt instead."""
        self._owes_reading = True  # hints in the meantime were missed
        try:
            await self._channel.open()
        except (RedisError, ConnectionError):
            if self._listening.is_set():
                await self.feed.read_stored()
            raise

    async def _take(self, hints: list[Hint]) -> None:
        self._owes_reading = True
        self._owes_recheck = any(isinstance(hint, Recheck) for hint in hints)
        await self.feed.handle(hints)
        self._owes_reading = self._owes_recheck = False


class Broadcaster:
    """The feeds of this process, one per meeting that has viewers here."""

    def __init__(self, connect: Callable[[], redis.asyncio.Redis]) -> None:
        self._connect = connect
        self._broker: redis.asyncio.Redis | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._watches: list[OutageMonitor | HostWatch | CaptionWatch | Heartbeat] = []
        self._presence: Presence | None = None
        self._room: AudioCapacity | None = None

    @property
    def broker(self) -> redis.asyncio.Redis:
        """The broker client of this process, created inside the running loop."""
        if self._broker is None:
            self._broker = self._connect()
        return self._broker

    async def join(self, viewer: Viewer) -> None:
        """Subscribe the viewer, then send what is stored, so that no change is missed between the two.

        Raises FeedNotReady if the database or the broker does not answer; call `leave` then.
        """
        subscription = self._subscriptions.get(viewer.meeting_id)
        if subscription is None:
            subscription = Subscription(Feed(viewer.meeting_id), self.broker)
            self._subscriptions[viewer.meeting_id] = subscription
        if not self._watches:
            self._watches = [
                OutageMonitor(self.broker, self._feeds),
                HostWatch(self.broker, self._feeds),
                CaptionWatch(self.broker, self._feeds),
                Heartbeat(self._feeds),
            ]
        subscription.feed.viewers.add(viewer)
        metrics.viewers.inc()
        await subscription.ready()
        await subscription.tell_languages()
        await viewer.catch_up()
        await subscription.feed.recheck(viewer)

    async def change_language(self, viewer: Viewer, language: str) -> None:
        """Switch the viewer to another language on the same connection."""
        subscription = self._subscriptions.get(viewer.meeting_id)
        await viewer.read_in(language)
        if subscription is not None:
            await subscription.tell_languages()

    def leave(self, viewer: Viewer) -> None:
        """Remove the viewer. The meeting's last viewer here ends the subscription."""
        subscription = self._subscriptions.get(viewer.meeting_id)
        if subscription is None or viewer not in subscription.feed.viewers:
            return
        subscription.feed.viewers.remove(viewer)
        metrics.viewers.dec()
        if not subscription.feed.viewers:
            subscription.close()
            del self._subscriptions[viewer.meeting_id]
        if not self._subscriptions:
            for watch in self._watches:
                watch.close()
            self._watches = []

    @property
    def presence(self) -> Presence:
        """The presence of this process's hosts."""
        if self._presence is None:
            self._presence = Presence(self.broker)
        return self._presence

    @property
    def room(self) -> AudioCapacity:
        """The broker's capacity for more audio."""
        if self._room is None:
            environment = settings.ENVIRONMENT
            self._room = AudioCapacity(self.broker, None if environment.broker_url else environment.data / "broker")
        return self._room

    def _feeds(self) -> list[Feed]:
        return [subscription.feed for subscription in self._subscriptions.values()]
