from __future__ import annotations

import pytest
import redis.asyncio

from meetings.broker import audio_log
from meetings.broker.audio_log import (
    AppendOutcome,
    AudioEntry,
    AudioLog,
    Claimant,
    ClaimVerdict,
    LogState,
    Pace,
    audio_key,
    pages_key,
    state_key,
)
from tests.meetings.brokers import cut_log

PCM = b"\x01\x00" * 1600


@pytest.fixture
def log(broker: redis.asyncio.Redis) -> AudioLog:
    return AudioLog(broker)


async def entries(log: AudioLog, meeting: str = "m") -> list[AudioEntry]:
    return (await log.read({meeting: b"0-0"}, block_ms=1, count=100)).get(meeting, [])


async def test_frames_are_numbered_and_placed(log: AudioLog) -> None:
    assert await log.claim("m", "page", takeover=False, cursor=0)
    first = await log.append("m", "page", 0, PCM)
    second = await log.append("m", "page", 1, PCM[:200])
    assert (first.outcome, second.outcome, second.next_frame) == (AppendOutcome.STORED, AppendOutcome.STORED, 2)
    assert [(entry.id, entry.sample, entry.end) for entry in await entries(log)] == [
        (b"1-0", 0, 1600),
        (b"2-0", 1600, 1700),
    ]
    assert await log.state("m") == LogState(2, 1700, captioned=0, phase="", until=0.0, detected="", is_held=False)


async def test_what_came_after_an_entry_is_found(log: AudioLog) -> None:
    await log.claim("m", "c", takeover=False, cursor=0)
    await log.append("m", "c", 0, b"\0\0")
    [first] = await entries(log)
    assert not await log.has_after("m", first.id)
    await log.mark("m", "end")
    assert await log.has_after("m", first.id)


async def test_a_frame_sent_twice_is_stored_once(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await log.append("m", "page", 0, PCM)
    again = await log.append("m", "page", 0, b"\x07\x00" * 1600)
    assert (again.outcome, again.next_frame) == (AppendOutcome.DUPLICATE, 1)
    assert [entry.pcm for entry in await entries(log)] == [PCM]


async def test_a_frame_out_of_order_is_refused(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    refused = await log.append("m", "page", 3, PCM)
    assert (refused.outcome, refused.next_frame) == (AppendOutcome.GAP, 0)
    assert await entries(log) == []


async def test_the_newest_host_wins_only_by_taking_over(log: AudioLog) -> None:
    assert await log.claim("m", "old", takeover=False, cursor=0)
    assert not await log.claim("m", "new", takeover=False, cursor=0)
    assert await log.claim("m", "old", takeover=False, cursor=0), "the same page comes back"
    assert await log.claim("m", "new", takeover=True, cursor=0)
    assert (await log.append("m", "old", 0, PCM)).outcome is AppendOutcome.NOT_OWNER
    assert (await log.append("m", "new", 0, PCM)).outcome is AppendOutcome.STORED


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
    assert (await log.append("m", "page", 2, PCM)).outcome is AppendOutcome.DUPLICATE
    assert (await log.append("m", "page", 5, PCM)).outcome is AppendOutcome.STORED


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
    assert (await log.append("m", "page", 6, PCM)).outcome is AppendOutcome.STORED
    assert [entry.sample for entry in await entries(log)] == [1600 * frame for frame in range(7)]


async def test_a_log_goes_on_behind_what_is_captioned(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    """Frames that were captioned before the broker lost them are not asked for, and nothing gets their places."""
    await log.claim("m", "page", takeover=False, cursor=0)
    for frame in range(10):
        await log.append("m", "page", frame, PCM)
    await cut_log(broker, "m", frames=6)
    await log.claim("m", "page", takeover=False, cursor=8 * 1600 + 900)
    assert (await log.state("m")).next_frame == 8
    assert (await log.append("m", "page", 8, PCM)).outcome is AppendOutcome.STORED
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


FIRST = Claimant("first", session="tab", page="a")
RELOADED = Claimant("second", session="tab", page="b")


async def claim(log: AudioLog, claimant: Claimant, *, takeover: bool = False, gone: str = "") -> ClaimVerdict:
    return (await log.claim_as("m", claimant, takeover=takeover, cursor=0, gone=gone)).verdict


async def test_the_same_page_comes_back_at_once(log: AudioLog) -> None:
    assert await claim(log, FIRST) is ClaimVerdict.GRANTED
    assert await claim(log, Claimant("again", session="tab", page="a")) is ClaimVerdict.GRANTED
    assert (await log.append("m", "first", 0, PCM)).outcome is AppendOutcome.NOT_OWNER
    assert (await log.append("m", "again", 0, PCM)).outcome is AppendOutcome.STORED
    assert not await log.keep("m", FIRST, keeps_place=False)


async def test_another_page_of_a_session_depends_on_whether_the_first_lives(log: AudioLog) -> None:
    assert await claim(log, FIRST) is ClaimVerdict.GRANTED
    asked = await log.claim_as("m", RELOADED, takeover=False, cursor=0)
    assert (asked.verdict, asked.other) == (ClaimVerdict.ASK, "first")
    assert (await log.append("m", "first", 0, PCM)).outcome is AppendOutcome.STORED, "being asked about costs nothing"
    assert await claim(log, RELOADED, gone="somebody else") is ClaimVerdict.ASK
    assert await claim(log, RELOADED, gone="first") is ClaimVerdict.GRANTED
    assert (await log.append("m", "first", 1, PCM)).outcome is AppendOutcome.NOT_OWNER


async def test_a_page_that_says_nothing_is_asked_about_too(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    """It has not begun to speak, so it keeps no other host out; a copy of itself it does."""
    assert await claim(log, FIRST) is ClaimVerdict.GRANTED
    await broker.delete(audio_log.host_key("m"))
    assert await claim(log, RELOADED) is ClaimVerdict.ASK
    assert await claim(log, Claimant("other", session="other tab")) is ClaimVerdict.GRANTED


async def test_a_page_of_a_process_that_died_is_forgotten(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    assert await claim(log, FIRST) is ClaimVerdict.GRANTED
    await broker.hset(pages_key("m"), "tab", "1 a first")
    assert await claim(log, RELOADED) is ClaimVerdict.GRANTED


async def test_a_place_is_given_back_by_who_has_it(log: AudioLog) -> None:
    await claim(log, FIRST)
    await log.release("m", "second", session="tab")
    assert await claim(log, RELOADED) is ClaimVerdict.ASK
    await log.release("m", "first", session="tab")
    assert await claim(log, RELOADED) is ClaimVerdict.GRANTED


async def test_nothing_is_acknowledged_that_somebody_else_has_written_over(
    log: AudioLog, broker: redis.asyncio.Redis
) -> None:
    """The first was told to begin at 0 and was silent for long; another one spoke meanwhile, and has left."""
    await claim(log, FIRST)
    await broker.delete(audio_log.host_key("m"))
    assert await log.claim("m", "other", takeover=False, cursor=0)
    await log.append("m", "other", 0, PCM)
    assert (await log.append("m", "first", 0, PCM)).outcome is AppendOutcome.NOT_OWNER
    await log.release("m", "other")
    stale = await log.append("m", "first", 0, b"\x07\x00" * 1600)
    assert (stale.outcome, stale.next_frame) == (AppendOutcome.STALE, 1)


async def test_a_host_that_pauses_keeps_its_place(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await claim(log, FIRST)
    await broker.pexpire(audio_log.host_key("m"), 100)
    assert await log.keep("m", FIRST, keeps_place=True)
    assert await broker.pttl(audio_log.host_key("m")) > 1_000
    await broker.delete(audio_log.host_key("m"))
    await log.claim("m", "other", takeover=False, cursor=0)
    assert await log.keep("m", FIRST, keeps_place=True), "who speaks there is not this session"
    assert await broker.get(audio_log.host_key("m")) == b"other"


async def test_a_log_that_the_broker_lost_is_no_longer_this_writers(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await claim(log, FIRST)
    await log.append("m", "first", 0, PCM)
    await broker.flushall()
    assert (await log.append("m", "first", 1, PCM)).outcome is AppendOutcome.STALE
    assert await log.keep("m", FIRST, keeps_place=False)


SECOND = b"\x01\x00" * 16_000
BRISK = Pace(samples_a_ms=64, at_once=10 * 16_000, absence=30 * 16_000)
"""Four times real time, beyond 10 s at once and 30 s of absence."""


async def append_until_too_fast(log: AudioLog, first: int, connection: str = "page") -> int:
    """Number of the frame of a second that is refused."""
    for frame in range(first, first + 1_000):
        appended = await log.append("m", connection, frame, SECOND, pace=BRISK)
        if appended.outcome is AppendOutcome.TOO_FAST:
            assert appended.next_frame == frame, "what is refused is not stored"
            return frame
        assert appended.outcome is AppendOutcome.STORED
    raise AssertionError("nothing was too fast")


async def let_pass(broker: redis.asyncio.Redis, *fields: str, seconds: int) -> None:
    """Sets what the log keeps of times back, as if so much time had passed since."""
    for field in fields:
        await broker.hincrby(state_key("m"), field, -1000 * seconds)


async def test_a_pace_holds_over_connections(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    refused = await append_until_too_fast(log, 0)
    assert 10 <= refused <= 14, "10 s at once, and what time passed meanwhile gives"
    for number in range(20):
        again = f"page {number}"
        await log.claim("m", again, takeover=True, cursor=0)
        refused = await append_until_too_fast(log, refused, again)
    assert refused <= 24


async def test_four_times_real_time_goes_on_for_ever(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    for frame in range(0, 120, 4):
        for number in range(frame, frame + 4):
            assert (await log.append("m", "page", number, SECOND, pace=BRISK)).outcome is AppendOutcome.STORED
        await let_pass(broker, "begun", "credit_at", seconds=1)


async def test_an_absence_is_made_up_for_at_once(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await let_pass(broker, "begun", seconds=20)
    refused = await append_until_too_fast(log, 0)
    assert 30 <= refused <= 36


async def test_an_absence_of_days_is_bounded(log: AudioLog, broker: redis.asyncio.Redis) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    await let_pass(broker, "begun", seconds=10 * 24 * 3600)
    refused = await append_until_too_fast(log, 0)
    assert 40 <= refused <= 46
    again = await append_until_too_fast(log, refused)
    assert again - refused <= 6, "the rest of the ten days gives nothing more"


async def test_a_meeting_that_the_broker_lost_keeps_its_absence(log: AudioLog) -> None:
    claimant = Claimant("page", session="page")
    await log.claim_as("m", claimant, takeover=False, cursor=60 * 16_000, age_s=80.0)
    refused = await append_until_too_fast(log, 0)
    assert 30 <= refused <= 36


async def test_frames_that_are_known_already_count_too(log: AudioLog) -> None:
    await log.claim("m", "page", takeover=False, cursor=0)
    assert (await log.append("m", "page", 0, SECOND, pace=BRISK)).outcome is AppendOutcome.STORED
    outcomes = [(await log.append("m", "page", 0, SECOND, pace=BRISK)).outcome for _ in range(20)]
    assert outcomes[0] is AppendOutcome.DUPLICATE
    assert outcomes[-1] is AppendOutcome.TOO_FAST


async def test_a_log_has_an_end(log: AudioLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_log, "MAX_LOG_SAMPLES", 3 * 1600)
    await log.claim("m", "page", takeover=False, cursor=480_000)
    for frame in range(3):
        assert (await log.append("m", "page", frame, PCM)).outcome is AppendOutcome.STORED
    full = await log.append("m", "page", 3, PCM)
    assert (full.outcome, full.next_frame) == (AppendOutcome.FULL, 3)
    await log.trim("m", b"2-0")
    assert (await log.append("m", "page", 3, PCM)).outcome is AppendOutcome.STORED, "what is captioned makes room"
