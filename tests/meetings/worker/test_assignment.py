"""What a worker holds, between a real broker and a real database."""

from __future__ import annotations

import pytest
import redis.asyncio

from meetings.broker.audio_log import AudioLog
from meetings.broker.leases import lease_key
from meetings.models import Meeting
from meetings.worker.assignment import Assignments, TakenMeeting
from meetings.worker.stream import MeetingStream
from tests.meetings.brokers import cut_log

pytestmark = pytest.mark.django_db(transaction=True)

FRAMES = [number.to_bytes(2, "little") * 1600 for number in range(20)]


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


async def held(broker: redis.asyncio.Redis, meeting: Meeting, assignments: Assignments) -> MeetingStream:
    """A meeting whose log was read to its end."""
    log = AudioLog(broker)
    await log.claim(meeting.pk, "page", takeover=False, cursor=0)
    for number, pcm in enumerate(FRAMES):
        await log.append(meeting.pk, "page", number, pcm)
    await assignments.assign(admit)
    stream = assignments.streams[meeting.pk]
    stream.read((await log.read({meeting.pk: stream.last_read}, block_ms=1, count=100))[meeting.pk])
    return stream


async def admit(opened: TakenMeeting) -> None:
    """Everything is welcome."""


@pytest.mark.parametrize("then", [[], [b"\xff\x7f" * 1600] * 5, [b"\xff\x7f" * 1600] * 30])
async def test_a_log_that_lost_what_was_read_is_taken_anew(
    broker: redis.asyncio.Redis, meeting: Meeting, then: list[bytes]
) -> None:
    """Whether or not something else has its place by now, and reaches beyond it."""
    assignments = Assignments("w", broker)
    stream = await held(broker, meeting, assignments)
    await cut_log(broker, meeting.pk, frames=15, then=then)
    await assignments.recheck()
    assert not assignments.holds(stream)
    await assignments.assign(admit)
    again = assignments.streams[meeting.pk]
    assert (again.last_read, again.lease.epoch) == (b"0-0", stream.lease.epoch + 1)


async def test_a_log_that_has_what_was_read_is_read_on(broker: redis.asyncio.Redis, meeting: Meeting) -> None:
    """Also one that got the very frames again, or is trimmed."""
    assignments = Assignments("w", broker)
    stream = await held(broker, meeting, assignments)
    await assignments.recheck()
    await cut_log(broker, meeting.pk, frames=15, then=FRAMES[15:])
    await assignments.recheck()
    await AudioLog(broker).trim(meeting.pk, stream.last_read)
    await assignments.recheck()
    assert assignments.holds(stream)


async def test_a_lease_that_expired_and_nobody_took_is_held_on(broker: redis.asyncio.Redis, meeting: Meeting) -> None:
    """The worker was slow, and is the only one."""
    assignments = Assignments("w", broker)
    stream = await held(broker, meeting, assignments)
    await broker.delete(lease_key(meeting.pk))
    await assignments.renew()
    assert assignments.holds(stream)
    assert await broker.get(lease_key(meeting.pk)) == b"w"


async def test_a_meeting_that_another_worker_had_meanwhile_is_dropped(
    broker: redis.asyncio.Redis, meeting: Meeting
) -> None:
    """Its key is gone, as the other one gave the meeting back: the epoch tells."""
    slow, other = Assignments("slow", broker), Assignments("other", broker)
    stream = await held(broker, meeting, slow)
    await broker.delete(lease_key(meeting.pk))
    await other.assign(admit)
    await other.let_go(meeting.pk, "idle")
    await slow.renew()
    assert not slow.holds(stream)
    assert await broker.get(lease_key(meeting.pk)) is None, "whoever is quicker takes it"


async def test_a_meeting_given_back_while_its_lease_is_renewed_is_free(
    broker: redis.asyncio.Redis, meeting: Meeting
) -> None:
    assignments = Assignments("w", broker)
    await held(broker, meeting, assignments)
    streams, assignments.streams = assignments.streams, {}
    await broker.delete(lease_key(meeting.pk))
    really = assignments._leases.renew
    assignments._leases.renew = lambda _, **ready: really(list(streams), **ready)  # type: ignore[method-assign]
    await assignments.renew()
    assert await broker.get(lease_key(meeting.pk)) is None


@pytest.mark.parametrize(("worker", "was_leased"), [("slow", False), ("other", True)])
async def test_a_meeting_that_its_worker_takes_again_is_no_sign_of_a_death(
    broker: redis.asyncio.Redis, meeting: Meeting, worker: str, was_leased: bool
) -> None:
    slow = Assignments("slow", broker)
    await held(broker, meeting, slow)
    slow.drop(meeting.pk, "database_away")
    await broker.delete(lease_key(meeting.pk))
    taken: list[TakenMeeting] = []

    async def note(opened: TakenMeeting) -> None:
        taken.append(opened)

    await (slow if worker == "slow" else Assignments(worker, broker)).assign(note)
    assert [opened.was_leased for opened in taken] == [was_leased]
