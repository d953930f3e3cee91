"""The equation: who watched live, who reloaded and who joined late have the same transcript, whatever is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis.asyncio
from asgiref.sync import async_to_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.translation.translator import Translation as Translated
from inference.types import FinalCaption, PartialCaption, Word
from meetings.broker import hints, notices
from meetings.broker.reader_languages import ReaderLanguages
from meetings.live import fanout, outages, viewers
from meetings.live.admission import Admission
from meetings.live.fanout import Broadcaster, Feed, FeedNotReady
from meetings.live.viewers import Viewer
from meetings.models import Meeting, Speaker
from meetings.store import serializers, transcript
from meetings.store.speakers import label_captions, rename
from meetings.store.transcript import Lease, commit, take_lease
from meetings.store.translations import store_translations, untranslated
from tests.meetings.outage import database_away

pytestmark = pytest.mark.django_db(transaction=True)

Content = tuple[str | None, ...]

PARTIAL = hints.Broadcast(hints.partial(PartialCaption("9", 9.0, "and so")))


@pytest.fixture
async def broadcaster(broker: redis.asyncio.Redis) -> AsyncIterator[Broadcaster]:
    """The process's fan-out. Whoever is left in it leaves."""
    made = Broadcaster(lambda: broker)
    yield made
    for subscription in list(made._subscriptions.values()):
        for viewer in tuple(subscription.feed.viewers):
            made.leave(viewer)


class Screen:
    """What a viewer page does with the messages it gets, confirmed or not."""

    def __init__(self, meeting_id: str, language: str = "") -> None:
        self.shown: dict[str, Content] = {}
        """What was said and what is read of it, by segment; names by speaker."""
        self.seqs: list[int] = []
        self.kinds: list[str] = []
        self.states: list[str] = []
        """Of the notices."""
        self._changed = asyncio.Event()
        self.viewer = Viewer(meeting_id, self.take, after=0, language=language)

    async def take(self, text: str) -> None:
        message: dict[str, Any] = json.loads(text)
        self.kinds.append(message["type"])
        self._changed.set()
        if message["type"] == "notice":
            self.states.append(message["state"])
        if message["type"] == "resync":
            self.seqs = [seq for seq in self.seqs if seq <= message["after"]]
        elif "seq" in message:
            self.shown.update(content(message))
            self.seqs.append(message["seq"])

    async def confirm(self) -> None:
        await self.viewer.confirm(self.viewer.sent_seq)

    async def shows(self, has_come: Callable[[Screen], bool]) -> None:
        """Waits until it does."""
        async with asyncio.timeout(30):
            while not has_come(self):
                self._changed.clear()
                await self._changed.wait()


def content(message: Any) -> dict[str, Content]:
    """What a screen shows of a stored change."""
    if message["type"] == "speaker":
        return {message["id"]: (message["name"],)}
    return {message["segment"]: (message["text"], message["speaker"], (message["translation"] or {}).get("text"))}


def new_lease() -> Lease:
    meeting = take_lease(Meeting.objects.create(title="Budget").pk)
    return Lease(meeting.pk, meeting.lease_epoch)


def store(lease: Lease, segment: int, text: str) -> int:
    words = tuple(Word(segment, segment + 1, word, 0.9) for word in text.split())
    return commit(lease, [FinalCaption(str(segment), segment, segment + 1, text, "en", words)], None)


def label(lease: Lease, segment: int) -> int:
    """Gives the segment to one of three speakers."""
    turn = SpeakerTurn(segment, segment + 1, f"S{segment % 3 + 1}")
    return label_captions(lease, SpeakerTurns(segment, segment + 1, (turn,)))


def name(lease: Lease, number: int) -> int:
    """Names a speaker, if there is one."""
    for speaker in Speaker.objects.filter(meeting_id=lease.meeting_id)[:1]:
        rename(lease.meeting_id, speaker.label, f"Ana {number}")
    return transcript.last_seq(lease.meeting_id)


def translate(lease: Lease) -> int:
    wanted = untranslated(lease.meeting_id, "pt", sources=["en"], limit=2)
    return store_translations(lease, [(item, Translated(f"pt {item.text}", True)) for item in wanted])


def present(lease: Lease, language: str) -> dict[str, Content]:
    shown: dict[str, Content] = {}
    for row in transcript.changes_after(lease.meeting_id, 0, limit=1000):
        shown.update(content(serializers.change(row, language)))
    return shown


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, 6)),
        st.tuples(st.just("label"), st.integers(0, 6)),
        st.tuples(st.just("name"), st.just(0)),
        st.tuples(st.just("translate"), st.just(0)),
        st.tuples(st.just("switch"), st.integers(0, 2)),
        st.tuples(st.just("bell"), st.integers(0, 3)),
        st.tuples(st.just("partial"), st.just(0)),
        st.tuples(st.just("join"), st.just(0)),
        st.tuples(st.just("confirm"), st.integers(0, 2)),
    ),
    max_size=40,
)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_live_equals_reloaded_equals_late(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]) -> None:
    """Bells are dropped, doubled, late (`bell` rings an old number); viewers join, confirm and switch at any time."""
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED", 4)
    monkeypatch.setattr(viewers, "PAGE", 2)
    lease = new_lease()

    changes: dict[str, Callable[[int, int], int]] = {
        "store": lambda segment, number: store(lease, segment, f"text {number}"),
        "label": lambda segment, _: label(lease, segment),
        "name": lambda _, number: name(lease, number),
        "translate": lambda *_: translate(lease),
    }

    async def play() -> None:
        feed, screens, seqs = Feed(lease.meeting_id), [Screen(lease.meeting_id)], [0]
        for number, (step, argument) in enumerate(steps):
            if step in changes:
                seqs.append(await asyncio.to_thread(changes[step], argument, number))
            elif step == "bell":
                await feed.handle([hints.StoredChange(seqs[-1 - argument % len(seqs)])])
            elif step == "partial":
                await feed.handle([PARTIAL])
            elif step == "join":
                screens.append(Screen(lease.meeting_id))
            elif step == "switch":
                viewer = screens[argument % len(screens)].viewer
                await viewer.read_in("" if viewer.language else "pt")
            for screen in screens:
                if screen.viewer not in feed.viewers:
                    feed.viewers.add(screen.viewer)
                    await screen.viewer.catch_up()
                elif step == "confirm" and argument:
                    await screen.confirm()
        await feed.read_stored()
        screens += [Screen(lease.meeting_id), Screen(lease.meeting_id, "pt")]
        for screen in screens:
            while screen.viewer.sent_seq < seqs[-1]:
                await screen.confirm()
                await screen.viewer.catch_up()
        expected = {language: await asyncio.to_thread(present, lease, language) for language in ("", "pt")}
        assert [screen.shown for screen in screens] == [expected[screen.viewer.language] for screen in screens]
        assert all(screen.seqs == sorted(set(screen.seqs)) for screen in screens), "each change once, in order"

    async_to_sync(play)()


async def test_a_silent_viewer_is_held_back_then_resynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED", 3)
    lease = await asyncio.to_thread(new_lease)
    feed, screen = Feed(lease.meeting_id), Screen(lease.meeting_id)
    feed.viewers.add(screen.viewer)
    await screen.viewer.catch_up()
    for segment in range(5):
        await asyncio.to_thread(store, lease, segment, "text")
        await feed.read_stored()
    assert screen.kinds == ["caption"] * 3
    await screen.confirm()
    assert screen.kinds == ["caption"] * 3 + ["resync"] + ["caption"] * 2
    assert screen.seqs == [1, 2, 3, 4, 5]


async def test_a_lagging_viewer_gets_finals_but_no_partials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED", 4)
    lease = await asyncio.to_thread(new_lease)
    feed, screen = Feed(lease.meeting_id), Screen(lease.meeting_id)
    feed.viewers.add(screen.viewer)
    await screen.viewer.catch_up()
    await feed.handle([PARTIAL, PARTIAL, PARTIAL])
    await asyncio.to_thread(store, lease, 1, "text")
    await feed.read_stored()
    assert screen.kinds == ["partial", "partial", "caption"]


async def test_messages_come_through_the_broker(broker: redis.asyncio.Redis) -> None:
    lease = await asyncio.to_thread(new_lease)
    broadcaster, screen = Broadcaster(lambda: broker), Screen(lease.meeting_id)
    arrived = asyncio.Event()

    async def take(text: str) -> None:
        await Screen.take(screen, text)
        if screen.kinds[-1] == "caption":
            arrived.set()

    screen.viewer = Viewer(lease.meeting_id, take, after=0)
    await broadcaster.join(screen.viewer)
    seq = await asyncio.to_thread(store, lease, 1, "hello")
    await broker.publish(hints.events_channel(lease.meeting_id), hints.pack([PARTIAL, hints.StoredChange(seq)]))
    await asyncio.wait_for(arrived.wait(), 5)
    broadcaster.leave(screen.viewer)
    assert (screen.kinds, screen.shown) == (["partial", "caption"], {"1": ("hello", None, None)})
    assert broadcaster._subscriptions == {}


async def test_a_language_is_changed_without_a_new_connection(broker: redis.asyncio.Redis) -> None:
    lease = await asyncio.to_thread(new_lease)
    await asyncio.to_thread(store, lease, 1, "hello")
    await asyncio.to_thread(translate, lease)
    broadcaster, screen = Broadcaster(lambda: broker), Screen(lease.meeting_id)
    await broadcaster.join(screen.viewer)
    assert await ReaderLanguages(broker).languages(lease.meeting_id) == frozenset()
    await broadcaster.change_language(screen.viewer, "pt")
    assert await ReaderLanguages(broker).languages(lease.meeting_id) == {"pt"}
    broadcaster.leave(screen.viewer)
    assert (screen.kinds, screen.shown) == (["caption", "resync", "caption"], {"1": ("hello", None, "pt hello")})


async def test_who_switches_languages_without_reading_gets_no_more_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED", 4)
    lease = await asyncio.to_thread(new_lease)
    for segment in range(3):
        await asyncio.to_thread(store, lease, segment, "text")
    screen = Screen(lease.meeting_id)
    await screen.viewer.catch_up()
    for language in ("pt", "", "pt"):
        await screen.viewer.read_in(language)
    assert screen.kinds.count("caption") == 4
    await screen.confirm()
    assert screen.kinds.count("caption") == 7, "and goes on when it reads"


async def test_what_was_never_sent_buys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED", 2)
    lease = await asyncio.to_thread(new_lease)
    for segment in range(4):
        await asyncio.to_thread(store, lease, segment, "text")
    screen = Screen(lease.meeting_id)
    await screen.viewer.catch_up()
    for seq in (3, 4, 2**52):
        assert not await screen.viewer.confirm(seq)
    assert screen.seqs == [1, 2]
    assert await screen.viewer.confirm(2)
    assert screen.seqs == [1, 2, 3, 4]


async def test_long_captions_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes of the wire: a letter may be three of them."""
    monkeypatch.setattr(viewers, "MAX_UNCONFIRMED_BYTES", 5_000)
    lease = await asyncio.to_thread(new_lease)
    for segment in range(4):
        await asyncio.to_thread(store, lease, segment, "語" * 1_000)
    screen = Screen(lease.meeting_id)
    await screen.viewer.catch_up()
    assert screen.seqs == [1, 2]
    await screen.confirm()
    assert screen.seqs == [1, 2, 3, 4]


async def test_a_notice_is_written_in_the_language_of_the_page() -> None:
    lease = await asyncio.to_thread(new_lease)
    sent: dict[str, list[str]] = {"en": [], "pt": []}
    feed = Feed(lease.meeting_id)
    for interface, messages in sent.items():

        async def take(text: str, messages: list[str] = messages) -> None:
            messages.append(json.loads(text)["message"])

        viewer = Viewer(lease.meeting_id, take, after=0, interface=interface)
        feed.viewers.add(viewer)
        await viewer.catch_up()
    await feed.handle([hints.Broadcast(notices.notice("ended"))])
    assert sent == {"en": ["The meeting has ended."], "pt": ["A reunião terminou."]}


async def ring(broker: redis.asyncio.Redis, lease: Lease) -> None:
    """As a worker does for what it has stored."""
    packed = hints.pack([hints.StoredChange(await asyncio.to_thread(transcript.last_seq, lease.meeting_id))])
    await broker.publish(hints.events_channel(lease.meeting_id), packed)


async def test_readers_follow_the_spoken_language(broadcaster: Broadcaster, broker: redis.asyncio.Redis) -> None:
    meeting = await Meeting.objects.acreate(title="Budget", language="en")
    messages: list[dict[str, Any]] = []
    told = asyncio.Event()

    async def take(text: str) -> None:
        messages.append(json.loads(text))
        told.set()

    await broadcaster.join(Viewer(meeting.pk, take, after=0, spoken="en"))
    await Meeting.objects.filter(pk=meeting.pk).aupdate(language="pt")
    await broker.publish(hints.events_channel(meeting.pk), hints.pack([hints.Recheck(), hints.Recheck()]))
    await asyncio.wait_for(told.wait(), 30)
    assert messages == [{"type": "languages", "spoken": "pt", "languages": ["pt", "en"]}]


class TestOutages:
    """A moment without the database or the broker silences nobody for good, and is told."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outages, "DEGRADED_AFTER_S", 0.2)
        monkeypatch.setattr(outages, "CHECK_INTERVAL_S", 0.05)
        monkeypatch.setattr(outages, "BROKER_PING_S", 0.05)

    async def test_a_moment_without_the_database_silences_nobody(
        self, broadcaster: Broadcaster, broker: redis.asyncio.Redis
    ) -> None:
        lease = await asyncio.to_thread(new_lease)
        early = Screen(lease.meeting_id)
        await broadcaster.join(early.viewer)
        seq = await asyncio.to_thread(store, lease, 1, "said before it went")
        with database_away():
            await broker.publish(hints.events_channel(lease.meeting_id), hints.pack([hints.StoredChange(seq)]))
            await early.shows(lambda screen: screen.states == ["degraded"])
            assert early.shown == {}
        await early.shows(lambda screen: "1" in screen.shown)
        await early.shows(lambda screen: screen.states == ["degraded", "waiting"])
        late = Screen(lease.meeting_id)
        await broadcaster.join(late.viewer)
        await asyncio.to_thread(store, lease, 2, "said afterwards")
        await ring(broker, lease)
        for screen in (early, late):
            await screen.shows(lambda screen: "2" in screen.shown)
            assert screen.shown == {
                "1": ("said before it went", None, None),
                "2": ("said afterwards", None, None),
            }

    async def test_who_comes_meanwhile_waits_for_so_long_and_no_longer(
        self, broadcaster: Broadcaster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fanout, "READY_S", 0.2)
        lease = await asyncio.to_thread(new_lease)
        screen = Screen(lease.meeting_id)
        with database_away(), pytest.raises(FeedNotReady):
            await broadcaster.join(screen.viewer)
        monkeypatch.setattr(fanout, "READY_S", 30.0)
        await broadcaster.join(Screen(lease.meeting_id).viewer)

    async def test_rights_are_asked_for_again_afterwards(
        self, broadcaster: Broadcaster, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lease = await asyncio.to_thread(new_lease)
        dismissed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def dismiss(code: str) -> None:
            if not dismissed.done():
                dismissed.set_result(code)

        screen = Screen(lease.meeting_id)
        viewer = Viewer(lease.meeting_id, screen.take, after=0)
        await broadcaster.join(viewer)
        # It has come when the feed has read what it owed at its beginning, which it would go on trying.
        notice = hints.pack([hints.Broadcast(notices.notice("live"))])
        await broker.publish(hints.events_channel(lease.meeting_id), notice)
        await screen.shows(lambda screen: screen.states == ["live"])
        viewer.admission = Admission("join", "no longer valid", dismiss)
        asked = asyncio.Event()
        recheck = Feed.recheck

        async def watched(feed: Feed, *viewers: Viewer) -> None:
            asked.set()
            await recheck(feed, *viewers)

        monkeypatch.setattr(Feed, "recheck", watched)
        with database_away():
            await broker.publish(hints.events_channel(lease.meeting_id), hints.pack([hints.Recheck()]))
            await asyncio.wait_for(asked.wait(), 30)
            assert not dismissed.done()
        assert await asyncio.wait_for(dismissed, 30) == "bad_token"

    async def test_a_broker_that_was_away_is_listened_to_again(
        self, broadcaster: Broadcaster, broker: redis.asyncio.Redis, broker_sync: redis.Redis
    ) -> None:
        lease = await asyncio.to_thread(new_lease)
        screen = Screen(lease.meeting_id)
        await broadcaster.join(screen.viewer)
        for segment in (1, 2):
            await asyncio.to_thread(broker_sync.client_kill_filter, _type="pubsub")
            await asyncio.to_thread(store, lease, segment, "text")
            await screen.shows(lambda screen, segment=segment: str(segment) in screen.shown)  # type: ignore[misc]

    async def test_hints_of_a_newer_version_are_passed_over(
        self, broadcaster: Broadcaster, broker: redis.asyncio.Redis
    ) -> None:
        lease = await asyncio.to_thread(new_lease)
        screen = Screen(lease.meeting_id)
        await broadcaster.join(screen.viewer)
        newer = [{"type": "reaction", "emoji": "wave"}, "reload", {"type": "notice", "state": "on_fire"}]
        for junk in (json.dumps(newer), "[" * 10_000, "{}", ""):
            await broker.publish(hints.events_channel(lease.meeting_id), junk)
        await asyncio.to_thread(store, lease, 1, "text")
        await ring(broker, lease)
        await screen.shows(lambda screen: "1" in screen.shown)
        assert screen.kinds == ["caption"]
