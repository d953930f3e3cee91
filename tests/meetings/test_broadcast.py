"""The equation: who watched live, who reloaded and who joined late have the same transcript, whatever was lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis.asyncio
from asgiref.sync import async_to_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.types import FinalCaption, PartialCaption
from meetings import broadcast, events, transcript
from meetings.broadcast import Broadcaster, Feed, Viewer
from meetings.models import Meeting
from meetings.transcript import Batch, Lease, commit, take_lease

pytestmark = pytest.mark.django_db(transaction=True)

PARTIAL = events.Passing(events.partial(PartialCaption("9", 9.0, "and so")))


class Screen:
    """What a viewer page does with the messages it gets, confirmed or not."""

    def __init__(self, meeting_id: str) -> None:
        self.captions: dict[str, str] = {}
        self.seqs: list[int] = []
        self.kinds: list[str] = []
        self.viewer = Viewer(meeting_id, self.take, after=0)

    async def take(self, text: str) -> None:
        message: dict[str, Any] = json.loads(text)
        self.kinds.append(message["type"])
        if message["type"] == "caption":
            self.captions[message["segment"]] = message["text"]
            self.seqs.append(message["seq"])

    async def confirm(self) -> None:
        await self.viewer.confirm(self.viewer.sent_seq)


def new_lease() -> Lease:
    meeting = take_lease(Meeting.objects.create(title="Budget").pk)
    return Lease(meeting.pk, meeting.lease_epoch)


def store(lease: Lease, segment: int, text: str) -> int:
    return commit(Batch(lease, [FinalCaption(str(segment), segment, segment + 1, text, "en", ())], None))


def present(lease: Lease) -> dict[str, str]:
    return {row.segment: row.text for row in transcript.changes_after(lease.meeting_id, 0, limit=1000)}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, 6)),
        st.tuples(st.just("bell"), st.integers(0, 3)),
        st.tuples(st.just("partial"), st.just(0)),
        st.tuples(st.just("join"), st.just(0)),
        st.tuples(st.just("confirm"), st.integers(0, 2)),
    ),
    max_size=40,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_live_equals_reloaded_equals_late(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]]) -> None:
    """Bells are dropped, doubled, late (`bell` rings an old number); viewers join and confirm at any time."""
    monkeypatch.setattr(broadcast, "MAX_UNCONFIRMED", 4)
    monkeypatch.setattr(broadcast, "MAX_UNCONFIRMED_PARTIAL", 2)
    monkeypatch.setattr(broadcast, "PAGE", 2)
    lease = new_lease()

    def store_in_thread(segment: int, number: int) -> None:
        store(lease, segment, f"text {number}")

    async def play() -> None:
        feed, screens, seqs = Feed(lease.meeting_id), [Screen(lease.meeting_id)], [0]
        for number, (step, argument) in enumerate(steps):
            if step == "store":
                await asyncio.to_thread(store_in_thread, argument, number)
                seqs.append(await broadcast.last_seq(lease.meeting_id))
            elif step == "bell":
                await feed.handle([events.Bell(seqs[-1 - argument % len(seqs)])])
            elif step == "partial":
                await feed.handle([PARTIAL])
            elif step == "join":
                screens.append(Screen(lease.meeting_id))
            for screen in screens:
                if screen.viewer not in feed.viewers:
                    feed.viewers.add(screen.viewer)
                    await screen.viewer.catch_up()
                elif step == "confirm" and argument:
                    await screen.confirm()
        await feed.read_stored()
        screens.append(Screen(lease.meeting_id))
        for screen in screens:
            while screen.viewer.sent_seq < seqs[-1]:
                await screen.confirm()
                await screen.viewer.catch_up()
        expected = await asyncio.to_thread(present, lease)
        assert [screen.captions for screen in screens] == [expected] * len(screens)
        assert all(screen.seqs == sorted(set(screen.seqs)) for screen in screens), "each change once, in order"

    async_to_sync(play)()


async def test_a_silent_viewer_is_held_back_then_resynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MAX_UNCONFIRMED", 3)
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
    monkeypatch.setattr(broadcast, "MAX_UNCONFIRMED_PARTIAL", 2)
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
    await broker.publish(events.events_channel(lease.meeting_id), events.pack([PARTIAL, events.Bell(seq)]))
    await asyncio.wait_for(arrived.wait(), 5)
    broadcaster.leave(screen.viewer)
    assert (screen.kinds, screen.captions) == (["partial", "caption"], {"1": "hello"})
    assert broadcaster._subscriptions == {}
