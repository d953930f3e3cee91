"""The worker between a real broker and a real database, with a scripted model (test_nothing_lost has the real one)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import soundfile
from django.db import OperationalError

from inference.audio import SAMPLE_RATE
from inference.models.loading import ModelMissing
from meetings import metrics
from meetings.broker import hints
from meetings.broker.audio_log import AudioLog, audio_key
from meetings.broker.leases import lease_key
from meetings.broker.reader_languages import ReaderLanguages
from meetings.broker.worker_reports import report_key
from meetings.device.engines import Loaders
from meetings.models import Caption, Meeting, State, Translation
from meetings.store import recordings, transcript
from meetings.store.transcript import take_lease
from meetings.worker import monitor, stream, worker
from meetings.worker.diarize import DiarizeStep
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream
from meetings.worker.worker import READ_COUNT, Worker
from tests.inference.diarization.doubles import SteadyListener
from tests.inference.doubles import PolyglotTranscriber, ScriptedTranscriber, ScriptedTranslator
from tests.live import frames_of, load_pcm
from tests.meetings.brokers import cut_log
from tests.meetings.doubles import scripted_pool
from tests.scripted_worker import scripted_worker

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 60.0
"""For what takes moments on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


@asynccontextmanager
async def working(
    broker: redis.asyncio.Redis,
    name: str = "worker",
    *,
    bridge: Callable[[], Any] | None = None,
    **models: Callable[[], Any],
) -> AsyncIterator[Worker]:
    """`models`: see `scripted_pool`."""
    scripted: dict[str, Callable[[], Any]] = {"transcriber": ScriptedTranscriber, **models}
    running = Worker(name, Loaders(lambda: scripted_pool(**scripted), bridge), broker)
    task = asyncio.create_task(running.run())
    yield running
    running.stop()
    await asyncio.wait_for(task, PATIENCE_S)


async def speak(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, *, first: int = 0) -> int:
    """Appends the audio as frames; returns the next frame's number."""
    log = AudioLog(broker)
    await log.claim(meeting.pk, "page", takeover=False, cursor=0)
    frames = frames_of(pcm)
    for number, frame in enumerate(frames, first):
        await log.append(meeting.pk, "page", number, frame)
    return first + len(frames)


async def until(condition: Callable[[], bool], *, seconds: float = PATIENCE_S) -> None:
    """Looks at the database until it says so: another thread writes there, and nothing else tells."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def until_async(look: Callable[[], Awaitable[Any]], expected: object, *, seconds: float = PATIENCE_S) -> None:
    """The same for what the broker holds."""
    deadline = time.monotonic() + seconds
    while await look() != expected:
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def state_of(meeting: Meeting) -> str:
    return Meeting.objects.get(pk=meeting.pk).state


def texts(meeting: Meeting) -> list[str]:
    """Of the captions that are complete."""
    complete = Caption.objects.filter(meeting=meeting, is_open=False)
    return list(complete.order_by("start").values_list("text", flat=True))


async def caption_all(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> list[str]:
    async with working(broker):
        return await caption_all_by_others(broker, meeting, pcm)


async def undisturbed(broker: redis.asyncio.Redis, pcm: bytes) -> list[str]:
    """The captions of a meeting that nothing befalls; it is held once."""
    if not _undisturbed:
        _undisturbed.extend(await caption_all(broker, await Meeting.objects.acreate(title="Undisturbed"), pcm))
    return _undisturbed


_undisturbed: list[str] = []


async def caption_all_by_others(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> list[str]:
    """By whatever worker there is."""
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    await until(lambda: state_of(meeting) == State.ENDED)
    return await asyncio.to_thread(texts, meeting)


async def test_a_meeting_is_captioned_to_its_end_and_then_forgotten(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    assert len(await caption_all(broker, meeting, pcm)) >= 4
    assert [key for key in await broker.keys("*") if meeting.pk.encode() in key] == []
    ended = await Meeting.objects.aget(pk=meeting.pk)
    assert ended.started_at is not None
    assert ended.ended_at is not None


async def test_a_second_worker_resumes_where_the_first_one_stored(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    expected = await undisturbed(broker, pcm)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker, "first"):
        await until(lambda: len(texts(meeting)) >= 1)
    assert await broker.exists(lease_key(meeting.pk)) == 0, "given back at the end"
    await speak(broker, meeting, pcm[half:], first=following)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, "second"):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected


@pytest.mark.parametrize("short", [5, 60])
async def test_a_broker_that_comes_back_some_frames_short_is_read_on(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, short: int
) -> None:
    """What comes gets numbers that the worker has read: it begins anew at its cursor, the host sends what it has."""
    expected = await undisturbed(broker, pcm)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    log = AudioLog(broker)
    async with working(broker) as running:
        await until(lambda: len(texts(meeting)) >= 1)
        await until_async(lambda: frames_read(running, meeting), following)
        await cut_log(broker, meeting.pk, frames=following - short)
        await log.claim(meeting.pk, "page", takeover=False, cursor=(await Meeting.objects.aget(pk=meeting.pk)).cursor)
        first = (await log.state(meeting.pk)).next_frame
        assert following - short <= first < following
        await speak(broker, meeting, pcm[first * 3200 :], first=first)
        await log.mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected
    assert (await Meeting.objects.aget(pk=meeting.pk)).missing_s == 0


async def frames_read(running: Worker, meeting: Meeting) -> int:
    held = running._streams.get(meeting.pk)
    return 0 if held is None else int(held.last_read.partition(b"-")[0])


async def test_what_is_said_to_such_a_broker_before_it_is_read_is_heard(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    """A browser has forgotten what was acknowledged, and goes on: no word of what it says then is taken for read."""
    frames = frames_of(pcm)
    before, after = frames[:120], frames[120:]
    await speak(broker, meeting, b"".join(before))
    async with working(broker) as running:
        await until_async(lambda: frames_read(running, meeting), len(before))
        await cut_log(broker, meeting.pk, frames=len(before) - 10, then=after)
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
    ended = await Meeting.objects.aget(pk=meeting.pk)
    assert ended.cursor == sum(len(frame) // 2 for frame in (*before[:-10], *after))


async def test_a_log_that_is_whole_is_read_on_without_beginning_anew(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    """Connections break for other reasons too."""
    following = await speak(broker, meeting, pcm[: 8 * SAMPLE_RATE * 2])
    async with working(broker) as running:
        await until_async(lambda: frames_read(running, meeting), following)
        held = running._streams[meeting.pk]
        await broker.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        following = await speak(broker, meeting, pcm[8 * SAMPLE_RATE * 2 :], first=following)
        await until_async(lambda: frames_read(running, meeting), following)
        assert running._streams[meeting.pk] is held


async def test_the_meeting_of_a_worker_that_died_is_free_when_its_lease_has_run_out(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    """It gives nothing back. The other one is there all the time, and waits for the lease."""
    expected = await undisturbed(broker, pcm)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    with scripted_worker("first") as first:
        await until_async(lambda: broker.get(lease_key(meeting.pk)), b"first")
        async with working(broker, "second"):
            await until(lambda: len(texts(meeting)) >= 1)
            assert await broker.get(lease_key(meeting.pk)) == b"first"
            first.kill()
            await speak(broker, meeting, pcm[half:], first=following)
            await AudioLog(broker).mark(meeting.pk, "end")
            await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected
    assert (await Meeting.objects.aget(pk=meeting.pk)).lease_epoch == 2, "one for each of them"


async def test_a_worker_that_was_stopped_for_a_while_stores_nothing_twice(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    """A machine that sleeps, or is moved: its lease runs out, another worker goes on, and then it wakes up."""
    expected = await undisturbed(broker, pcm)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    with scripted_worker("first") as first:
        await until(lambda: len(texts(meeting)) >= 1)
        first.send_signal(signal.SIGSTOP)
        async with working(broker, "second"):
            await until_async(lambda: broker.get(lease_key(meeting.pk)), b"second")
            await speak(broker, meeting, pcm[half:], first=following)
            first.send_signal(signal.SIGCONT)
            other = await Meeting.objects.acreate(title="Another")
            await AudioLog(broker).mark(meeting.pk, "end")
            await until(lambda: state_of(meeting) == State.ENDED)
        assert await caption_all_by_others(broker, other, pcm) == expected, "the first one works again"
    assert await asyncio.to_thread(texts, meeting) == expected
    assert (await Meeting.objects.aget(pk=meeting.pk)).lease_epoch == 2


async def test_the_log_is_trimmed_behind_the_cursor(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "REHEAR_S", 0)
    total = await speak(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: len(texts(meeting)) >= 3)
    assert await broker.xlen(audio_key(meeting.pk)) < total / 2
    state = await AudioLog(broker).state(meeting.pk)
    assert state.captioned >= (await Meeting.objects.aget(pk=meeting.pk)).cursor > 0


async def test_pause_resume_and_language_take_effect_in_their_place(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    log = AudioLog(broker)
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(hints.events_channel(meeting.pk))
        following = await speak(broker, meeting, pcm[: 8 * SAMPLE_RATE * 2])
        await log.mark(meeting.pk, "language", "pt")
        await log.mark(meeting.pk, "pause")
        async with working(broker):
            await until(lambda: state_of(meeting) == State.PAUSED)
            await log.mark(meeting.pk, "resume")
            await until(lambda: state_of(meeting) == State.LIVE)
            await speak(broker, meeting, pcm[8 * SAMPLE_RATE * 2 :], first=following)
            await log.mark(meeting.pk, "end")
            await until(lambda: state_of(meeting) == State.ENDED)
        said = await said_until_the_end(subscription)
    assert states_in(said) == ["live", "paused", "live", "ended"]
    assert said.count("recheck") == 1, "readers are told of the language"
    rows = [row async for row in Caption.objects.filter(meeting=meeting).order_by("start")]
    assert [row.language for row in rows] == ["en" if row.start < 8 else "pt" for row in rows]
    assert {row.language for row in rows} == {"en", "pt"}
    assert (await Meeting.objects.aget(pk=meeting.pk)).language == "pt"


async def said_until_the_end(subscription: Any) -> list[Any]:
    said: list[Any] = []
    while "ended" not in states_in(said):
        async with asyncio.timeout(5):
            message = await subscription.get_message(timeout=5)
        said += json.loads(message["data"]) if message else []
    return said


async def notices_until_the_end(subscription: Any) -> list[str]:
    return states_in(await said_until_the_end(subscription))


def states_in(said: list[Any]) -> list[str]:
    return [item["state"] for item in said if isinstance(item, dict) and item["type"] == "notice"]


async def test_a_database_that_refuses_is_waited_for_and_people_are_told(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_commit, refused = transcript.commit, asyncio.Event()

    def full_disk_once(*found: Any, **options: Any) -> int:
        if refused.is_set():
            return real_commit(*found, **options)
        refused.set()
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(transcript, "commit", full_disk_once)
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(hints.events_channel(meeting.pk))
        captions = await caption_all(broker, meeting, pcm)
        notices = await notices_until_the_end(subscription)
    assert len(captions) >= 4
    # On a busy machine the worker catches up more than once, and is live before, between and afterwards.
    states = [state for state, _ in groupby(state for state in notices if state != "catching_up")]
    if states[0] == "live":
        del states[0]
    assert states == ["degraded", "live", "ended"]


async def test_a_worker_whose_lease_is_anothers_drops_the_meeting(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    following = await speak(broker, meeting, pcm[: 8 * SAMPLE_RATE * 2])
    async with working(broker) as running:
        await until(lambda: len(texts(meeting)) >= 1)
        await broker.set(lease_key(meeting.pk), "another worker")
        await until(lambda: meeting.pk not in running._streams)
        before = await asyncio.to_thread(texts, meeting)
        await speak(broker, meeting, pcm[8 * SAMPLE_RATE * 2 :], first=following)
    assert await asyncio.to_thread(texts, meeting) == before


async def test_a_worker_that_was_fenced_off_stores_nothing_before_it_has_taken_the_meeting_anew(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    """Its key stands, as in a broker that came back without the other worker's: the epoch alone tells."""
    expected = await undisturbed(broker, pcm)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker):
        await until(lambda: len(texts(meeting)) >= 1)
        fence = (await asyncio.to_thread(take_lease, meeting.pk)).lease_epoch
        await speak(broker, meeting, pcm[half:], first=following)
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected
    assert (await Meeting.objects.aget(pk=meeting.pk)).lease_epoch > fence


async def test_a_recording_is_kept_when_the_meeting_says_so(broker: redis.asyncio.Redis, pcm: bytes) -> None:
    kept = await Meeting.objects.acreate(title="Kept", keep_recording=True)
    await caption_all(broker, kept, pcm)
    path = recordings.flac_path(kept.pk)
    samples, rate = soundfile.read(path, dtype="int16")
    assert (samples.astype("<i2").tobytes() == pcm, rate) == (True, SAMPLE_RATE)
    assert not recordings.raw_path(kept.pk).exists()
    recordings.delete(kept.pk)
    assert not path.exists()


async def test_no_recording_is_kept_otherwise(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> None:
    await caption_all(broker, meeting, pcm)
    assert not recordings.flac_path(meeting.pk).exists()
    assert not recordings.raw_path(meeting.pk).exists()


async def test_an_absent_host_finishes_the_sentence_and_then_frees_the_worker(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "FLUSH_AFTER_S", 0.5)
    monkeypatch.setattr(worker, "WATCH_S", 0.1)
    async with working(broker) as running:
        await speak(broker, meeting, pcm[: 5 * SAMPLE_RATE * 2])
        await until(lambda: len(texts(meeting)) >= 1)
        await until(lambda: running._streams[meeting.pk].flushed > 0)
        monkeypatch.setattr(monitor, "RETIRE_AFTER_S", 0.5)
        await until(lambda: meeting.pk not in running._streams)
    assert await AudioLog(broker).active() == []
    await AudioLog(broker).claim(meeting.pk, "page", takeover=False, cursor=0)
    assert await AudioLog(broker).active() == [meeting.pk], "a host that returns makes it active again"


@pytest.mark.parametrize("is_held", [False, True])
async def test_a_deleted_meeting_is_forgotten(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, is_held: bool
) -> None:
    """Its host is still there and speaks on, whether a worker holds the meeting already or comes to it then."""
    meeting_id, half = meeting.pk, len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker) if is_held else contextlib.nullcontext():
        if is_held:
            await until(lambda: len(texts(meeting)) >= 1)
        await Meeting.objects.filter(pk=meeting_id).adelete()
        log = AudioLog(broker)
        await log.claim(meeting_id, "page", takeover=False, cursor=0)
        first = (await log.state(meeting_id)).next_frame
        for number, frame in enumerate(frames_of(pcm[half:]), first):
            await log.append(meeting_id, "page", number, frame)
        async with contextlib.nullcontext() if is_held else working(broker):
            await until_async(log.active, [])
            await until_async(lambda: broker.exists(audio_key(meeting_id)), 0)
    assert following
    assert await Caption.objects.acount() == 0


async def test_audio_that_the_broker_lost_is_counted_as_missing(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await AudioLog(broker).claim(meeting.pk, "page", takeover=False, cursor=5 * SAMPLE_RATE)
    await speak(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: Meeting.objects.get(pk=meeting.pk).missing_s > 0)
    assert (await Meeting.objects.aget(pk=meeting.pk)).missing_s == 5.0


async def test_the_worker_reports_what_it_does(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> None:
    metrics.loop_errors.labels("caption", "test").inc()
    await speak(broker, meeting, pcm)
    async with working(broker, "desk"):
        await until(lambda: len(texts(meeting)) >= 4)
        deadline = time.monotonic() + 10
        while (report := json.loads(await broker.get(report_key("desk")) or "{}")).get("captioned_s", 0) < 10:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    assert report["meetings"] == 1
    assert report["behind_s"] < 15
    assert report["loop_errors"]["caption test"] >= 1


async def test_captions_get_a_speaker_and_the_listed_language(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt", "es"])
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, listener=SteadyListener):
        await until(lambda: state_of(meeting) == State.ENDED)
    await assert_told_apart_and_in_portuguese(meeting)


async def test_a_meeting_that_is_over_before_all_models_are_there_waits_for_them(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over, finish = threading.Event(), DiarizeStep.finish

    async def finish_and_tell(self: DiarizeStep, stream: MeetingStream) -> None:
        is_over.set()
        await finish(self, stream)

    def late(load: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: load() if is_over.wait(20) else None

    monkeypatch.setattr(DiarizeStep, "finish", finish_and_tell)
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt", "es"])
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, listener=late(SteadyListener), translator=late(ScriptedTranslator)):
        await until(lambda: state_of(meeting) == State.ENDED)
    await assert_told_apart_and_in_portuguese(meeting)


async def assert_told_apart_and_in_portuguese(meeting: Meeting) -> None:
    said = [caption async for caption in Caption.objects.filter(meeting=meeting).exclude(text="")]
    assert {caption.speaker for caption in said} == {"S1"}
    translated = [row async for row in Translation.objects.filter(caption__meeting=meeting).order_by("caption")]
    assert {(row.caption_id, row.language, row.text) for row in translated} == {
        (caption.pk, "pt", f"pt: {caption.text}") for caption in said
    }, "each once, and Spanish is not offered"


async def test_a_language_that_somebody_opens_late_is_filled_in(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await speak(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: len(texts(meeting)) >= 3)
        assert await Translation.objects.acount() == 0
        await ReaderLanguages(broker).report(meeting.pk, ["pt"])
        await until(lambda: Translation.objects.count() >= 3)


async def test_a_worker_without_models_for_speakers_and_languages_captions_all_the_same(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    def missing() -> Any:
        raise ModelMissing("The weights are not here.")

    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt"])
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, listener=missing, translator=missing):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert {caption.speaker async for caption in Caption.objects.filter(meeting=meeting)} == {""}


async def test_people_keep_their_ids_through_a_change_of_workers(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker, "first", listener=SteadyListener):
        await until(lambda: Caption.objects.filter(meeting=meeting, speaker="S1").exists())
    await speak(broker, meeting, pcm[half:], first=following)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, "second", listener=SteadyListener):
        await until(lambda: state_of(meeting) == State.ENDED)
    said = Caption.objects.filter(meeting=meeting).exclude(text="")
    assert {caption.speaker async for caption in said} == {"S1"}


async def test_the_host_is_told_of_another_language(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> None:
    await speak(broker, meeting, pcm)
    async with working(broker, transcriber=PolyglotTranscriber):
        await until(lambda: len(texts(meeting)) >= 4)
        await until_async(lambda: _detected(broker, meeting), "pt")


async def _detected(broker: redis.asyncio.Redis, meeting: Meeting) -> str:
    return (await AudioLog(broker).state(meeting.pk)).detected


async def test_a_worker_that_is_stopped_while_it_starts_ends(broker: redis.asyncio.Redis) -> None:
    starting = Worker("worker", Loaders(lambda: scripted_pool(ScriptedTranscriber)), broker)
    task = asyncio.create_task(starting.run())
    starting.stop()
    await asyncio.wait_for(task, PATIENCE_S)


async def test_a_flood_of_pauses_costs_a_few_steps_and_is_forgotten(
    broker: redis.asyncio.Redis, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[State] = []
    move = Publisher.set_state

    async def counted(publisher: Publisher, stream: MeetingStream, state: State) -> None:
        moves.append(state)
        await move(publisher, stream, state)

    monkeypatch.setattr(Publisher, "set_state", counted)
    audio = AudioLog(broker)
    await audio.activate(meeting.pk)
    for number in range(1_001):
        await audio.mark(meeting.pk, "resume" if number % 2 else "pause")
    async with working(broker):
        await until(lambda: state_of(meeting) == State.PAUSED)
        await until_async(lambda: broker.xlen(audio_key(meeting.pk)), 1)
    assert len(moves) <= 2 * -(-1_001 // READ_COUNT)
