from __future__ import annotations

import pytest
import redis.asyncio

from meetings.audio.audiolog import AudioLog, Entry, LogState, Outcome, audio_key
from tests.meetings.brokers import cut_log

PCM = b"\x01\x00" * 1600


@pytest.fixture
def log(broker: redis.asyncio.Redis) -> AudioLog:
    return AudioLog(broker)


async def entries(log: AudioLog, meeting: str = "m") -> list[Entry]:
    return (await log.read({meeting: b"0-0"}, block_ms=1, count=100)).get(meeting, [])


async def test_frames_are_numbered_and_placed(log: AudioLog) -> None:
    assert await log.claim("m", "page", takeover=False, cursor=0)
    first = await log.append("m", "page", 0, PCM)
    second = await log.append("m", "page", 1, PCM[:200])
    assert (first.outcome, second.outcome, second.next_frame) == (Outcome.STORED, Outcome.STORED, 2)
    assert [(entry.id, entry.sample, entry.end) for entry in await entries(log)] == [
        (b"1-0", 0, 1600),
        (b"2-0", 1600, 1700),
    ]
    assert await log.state("m") == LogState(2, 1700, captioned=0, phase="", until=0.0, detected="")


async def test_a_frame_sent_twice_is_stored_once(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await log.append("m", "page", 0, PCM)
    again = await log.append("m", "page", 0, b"\x07\x00" * 1600)
    assert (again.outcome, again.next_frame) == (Outcome.DUPLICATE, 1)
    assert [entry.pcm for entry in await entries(log)] == [PCM]


async def test_a_frame_out_of_order_is_refused(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    refused = await log.append("m", "page", 3, PCM)
    assert (refused.outcome, refused.next_frame) == (Outcome.GAP, 0)
    assert await entries(log) == []


async def test_the_newest_host_wins_only_by_taking_over(log: AudioLog) -> None:
    assert await log.claim("m", "old", takeover=False, cursor=0)
    assert not await log.claim("m", "new", takeover=False, cursor=0)
    assert await log.claim("m", "old", takeover=False, cursor=0), "the same page comes back"
    assert await log.claim("m", "new", takeover=True, cursor=0)
    assert (await log.append("m", "old", 0, PCM)).outcome is Outcome.NOT_OWNER
    assert (await log.append("m", "new", 0, PCM)).outcome is Outcome.STORED


async def test_a_released_meeting_is_free(log: AudioLog) -> None:
    await log.claim("m", "old", takeover=False, cursor=0)
    await log.release("m", "somebody else")
    assert not await log.claim("m", "new", takeover=False, cursor=0)
    await log.release("m", "old")
    assert await log.claim("m", "new", takeover=False, cursor=0)


async def test_marks_stand_where_they_were_made(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await log.mark("m", "language", "pt")
    await log.append("m", "page", 0, PCM)
    await log.mark("m", "pause")
    await log.mark("m", "end")
    await log.append("m", "page", 1, PCM)
    found = [(entry.mark, entry.value, entry.sample) for entry in await entries(log)]
    assert found == [("language", "pt", 0), ("", "", 0), ("pause", "", 1600), ("end", "", 1600), ("", "", 1600)]


async def test_numbering_survives_trimming(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    for frame in range(5):
        await log.append("m", "page", frame, PCM)
    await log.trim("m", b"5-0")
    assert [entry.id for entry in await entries(log)] == [b"5-0"]
    assert (await log.append("m", "page", 2, PCM)).outcome is Outcome.DUPLICATE
    assert (await log.append("m", "page", 5, PCM)).outcome is Outcome.STORED


async def test_a_broker_that_lost_its_file_goes_on_at_the_cursor(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await broker.flushall()
    await log.claim("m", "page", takeover=False, cursor=48_000)
    await log.append("m", "page", 0, PCM)
    assert [(entry.sample, entry.end) for entry in await entries(log)] == [(48_000, 49_600)]


async def test_a_broker_that_lost_the_last_frames_is_sent_them_again(
    log: AudioLog, broker: redis.asyncio.Redis
) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    for frame in range(10):
        await log.append("m", "page", frame, PCM)
    await cut_log(broker, "m", frames=6)
    await log.claim("m", "page", takeover=False, cursor=5 * 1600)
    assert (await log.state("m")).next_frame == 6
    assert (await log.append("m", "page", 6, PCM)).outcome is Outcome.STORED
    assert [entry.sample for entry in await entries(log)] == [1600 * frame for frame in range(7)]


async def test_a_log_goes_on_behind_what_is_captioned(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    """Frames that were captioned before the broker lost them are not asked for, and nothing gets their places."""
    await log.claim("m", "page", takeover=False, cursor=0)
    for frame in range(10):
        await log.append("m", "page", frame, PCM)
    await cut_log(broker, "m", frames=6)
    await log.claim("m", "page", takeover=False, cursor=8 * 1600 + 900)
    assert (await log.state("m")).next_frame == 8
    assert (await log.append("m", "page", 8, PCM)).outcome is Outcome.STORED
    assert (await entries(log))[-1].sample == 8 * 1600


async def test_reading_goes_on_after_the_last_id(log: AudioLog) -> None:
    for meeting in ("a", "b"):
        await log.claim(meeting, "page", takeover=False, cursor=0)
        await log.append(meeting, "page", 0, PCM)
    await log.append("b", "page", 1, PCM)
    found = await log.read({"a": b"1-0", "b": b"1-0"}, block_ms=1, count=100)
    assert {meeting: [entry.id for entry in rows] for meeting, rows in found.items()} == {"b": [b"2-0"]}


async def test_claiming_makes_a_meeting_active_until_it_is_forgotten(
    log: AudioLog, broker: redis.asyncio.Redis
) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await log.append("m", "page", 0, PCM)
    assert await log.active() == ["m"]
    await log.forget("m")
    assert await log.active() == []
    assert await broker.keys("*") == []
    assert await broker.exists(audio_key("m")) == 0
