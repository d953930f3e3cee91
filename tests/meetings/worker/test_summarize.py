"""Summaries in a worker: the room is told, models take turns, nothing is lost. A real pool of models that are not."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis.asyncio

from inference.audio import SAMPLE_RATE
from inference.models.residency.history import REMEMBERED, Direction, SwapOutcome, SwapRecord
from inference.models.residency.plan import DoesNotFit
from inference.models.residency.pool import ModelPool
from inference.summarization.summary import SummaryRequest
from inference.types import FinalCaption, Word
from meetings.broker import hints
from meetings.broker.audio_log import AudioLog, audio_key
from meetings.device import watchdog
from meetings.device.engines import Loaders
from meetings.device.summarization import SUMMARY
from meetings.models import AttemptState, Caption, Meeting, State, Summary, SummaryAttempt, SummaryFailure, Swap
from meetings.queries import in_database
from meetings.store import summary_attempts
from meetings.store.transcript import commit, take_lease
from meetings.worker import summarize as worker_summarize
from meetings.worker.assignment import Assignments, open_stream
from meetings.worker.diarize import DiarizeStep
from meetings.worker.isolation import Isolation
from meetings.worker.publisher import Publisher
from meetings.worker.speaker_track import ResumeState
from meetings.worker.stream import MeetingStream
from meetings.worker.worker import Worker
from tests.inference.diarization.doubles import SteadyListener
from tests.inference.doubles import ScriptedTranscriber
from tests.live import load_pcm
from tests.meetings.doubles import ScriptedSummarizer, scripted_pool
from tests.meetings.worker.test_worker import caption_all, speak, state_of, texts, until, until_async

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget", languages=["pt"])


@pytest.fixture(autouse=True)
def _no_dwell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_summarize, "DWELL_S", 0.0)
    monkeypatch.setattr(summary_attempts, "FIRST_RETRY_S", 0.0)
    monkeypatch.setattr(worker_summarize, "PAUSE_WAIT_S", 0.5)


@asynccontextmanager
async def working(
    broker: redis.asyncio.Redis, summarizer: Callable[[], Any], name: str = "worker"
) -> AsyncIterator[Worker]:
    async with at_work(broker, scripted_pool(ScriptedTranscriber, summarizer), name) as worker:
        yield worker


@asynccontextmanager
async def at_work(
    broker: redis.asyncio.Redis, pool: ModelPool, name: str = "worker", *, is_warm: bool = False
) -> AsyncIterator[Worker]:
    worker = Worker(name, Loaders(lambda: pool, is_warm=is_warm), broker)
    task = asyncio.create_task(worker.run())
    yield worker
    worker.stop()
    await asyncio.wait_for(task, 30)


class Room:
    """Everything that a meeting's channel tells."""

    def __init__(self, broker: redis.asyncio.Redis, meeting: Meeting) -> None:
        self._broker = broker
        self._channel = hints.events_channel(meeting.pk)
        self.notices: list[Any] = []

    async def listen(self) -> None:
        async with self._broker.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            async for message in subscription.listen():
                found = hints.unpack(message["data"])
                told = [hint.message for hint in found if isinstance(hint, hints.Broadcast)]
                self.notices += [notice for notice in told if notice["type"] == "notice"]

    @property
    def states(self) -> list[str]:
        """Without repetition."""
        told = [notice["state"] for notice in self.notices]
        return [state for place, state in enumerate(told) if place == 0 or told[place - 1] != state]


@asynccontextmanager
async def room(broker: redis.asyncio.Redis, meeting: Meeting) -> AsyncIterator[Room]:
    listened = Room(broker, meeting)
    task = asyncio.create_task(listened.listen())
    yield listened
    task.cancel()


async def test_a_summary_on_demand_is_announced_written_translated_and_over(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    summarizer = ScriptedSummarizer()
    await speak(broker, meeting, pcm)
    async with room(broker, meeting) as told, working(broker, lambda: summarizer):
        await until(lambda: len(texts(meeting)) >= 3)
        assert await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: Summary.objects.filter(meeting=meeting, translations__has_key="pt").exists())
        await until(lambda: told.states[-1:] == ["live"])
    assert told.states[-3:] == ["summarizing", "catching_up", "live"]
    [announced] = [notice for notice in told.notices if notice["state"] == "summarizing"]
    assert announced["expected_s"] == worker_summarize.FIRST_EXPECTED_S
    [summary] = [row async for row in Summary.objects.filter(meeting=meeting)]
    first = await Caption.objects.filter(meeting=meeting).order_by("start").afirst()
    assert first is not None
    assert summary.items == [{"kind": "topic", "text": first.text, "owner": None, "segments": [first.segment]}]
    assert summary.translations["pt"] == {"text": f"pt: {first.text}", "items": [f"pt: {first.text}"]}
    swaps = [(swap.direction, swap.outcome) async for swap in Swap.objects.order_by("created_at")]
    assert swaps == [("to summarization", "completed"), ("to transcription", "completed")]
    assert (await Meeting.objects.aget(pk=meeting.pk)).summary_asked_at is None


async def test_what_is_said_meanwhile_is_captioned_afterwards_as_it_would_have_been(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    twin = await Meeting.objects.acreate(title="Undisturbed")
    expected = await caption_all(broker, twin, pcm)
    summarizer = ScriptedSummarizer()
    summarizer.may_end.clear()
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker, lambda: summarizer):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(summarizer.begun.wait, 20)
        before = await asyncio.to_thread(texts, meeting)
        await speak(broker, meeting, pcm[half:], first=following)
        await AudioLog(broker).mark(meeting.pk, "end")
        late = await AudioLog(broker).state(meeting.pk)
        assert (late.phase, await asyncio.to_thread(texts, meeting)) == ("summarizing", before), "exclusive turns"
        summarizer.may_end.set()
        await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected


async def test_a_summariser_that_is_to_be_warm_is_there_before_anybody_wants_a_summary(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    loaded = threading.Event()

    def load() -> ScriptedSummarizer:
        loaded.set()
        return ScriptedSummarizer()

    async with at_work(broker, scripted_pool(ScriptedTranscriber, load), is_warm=True):
        assert await asyncio.to_thread(loaded.wait, 20)
        await speak(broker, meeting, pcm)
        await until(lambda: len(texts(meeting)) >= 1)


async def test_a_meeting_that_is_taken_anew_while_the_summariser_loads_gets_its_summary(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    summarizer, loading, loaded = ScriptedSummarizer(), threading.Event(), threading.Event()

    def slow() -> ScriptedSummarizer:
        loading.set()
        loaded.wait(20)
        return summarizer

    await speak(broker, meeting, pcm)
    async with working(broker, slow) as worker:
        await until(lambda: len(texts(meeting)) >= 3)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(loading.wait, 20)
        before = worker._streams[meeting.pk]
        worker._assignments.drop(meeting.pk, "lease_expired")
        await until(lambda: worker._streams.get(meeting.pk) not in (None, before))
        loaded.set()
        await until(lambda: Summary.objects.filter(meeting=meeting).exists())
    assert len(summarizer.requests) == 1, "written once, and stored"


async def test_a_worker_that_dies_while_it_writes_leaves_the_summary_to_the_next_one(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    stuck, quick = ScriptedSummarizer(), ScriptedSummarizer()
    stuck.may_end.clear()
    await speak(broker, meeting, pcm)
    async with working(broker, lambda: stuck, "first"):
        await until(lambda: len(texts(meeting)) >= 3)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(stuck.begun.wait, 20)
        await asyncio.to_thread(_take_away, meeting)
        stuck.may_end.set()
    assert await Summary.objects.acount() == 0, "who lost the meeting stores nothing"
    async with working(broker, lambda: quick, "second"):
        await until(lambda: Summary.objects.filter(meeting=meeting).exists())


async def test_a_summariser_that_cannot_be_had_costs_no_caption(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary_attempts, "MAX_FINAL_ATTEMPTS", 1_000)

    def missing() -> Any:
        raise MemoryError("no room")

    await speak(broker, meeting, pcm)
    async with room(broker, meeting) as told, working(broker, missing):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: failure_of(meeting) == SummaryFailure.NO_ROOM)
        assert (await Swap.objects.afirst()).outcome == "failed"
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
        await until(lambda: any(one.get("summary_failure") == "no_room" for one in told.notices))
    assert len(await asyncio.to_thread(texts, meeting)) >= 4
    assert (await Meeting.objects.aget(pk=meeting.pk)).summary_asked_at is not None, "still wanted"
    assert "summarizing" in told.states


async def test_the_next_summary_knows_the_one_before(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> None:
    summarizer = ScriptedSummarizer()
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker, lambda: summarizer):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: Summary.objects.count() == 1)
        await speak(broker, meeting, pcm[half:], first=following)
        await AudioLog(broker).mark(meeting.pk, "pause")
        await until(lambda: state_of(meeting) == State.PAUSED)
        assert await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: Summary.objects.count() == 2)
    first, second = summarizer.requests
    assert first.notes is None
    assert second.notes is not None
    assert second.notes.to_s == first.lines[-1].end
    assert {line.segment for line in first.lines}.isdisjoint(line.segment for line in second.lines)


async def test_a_meeting_that_ends_gets_the_summary_that_was_asked_for(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    summarizer = ScriptedSummarizer()
    await speak(broker, meeting, pcm)
    async with room(broker, meeting) as told, working(broker, lambda: summarizer):
        await until(lambda: len(texts(meeting)) >= 1)
        await Meeting.objects.filter(pk=meeting.pk).aupdate(summary_every_s=3600)
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: Summary.objects.filter(meeting=meeting, translations__has_key="pt").exists())
        await until_async(lambda: broker.exists(audio_key(meeting.pk)), 0)
    assert told.states[-1] == "ended", "who reads is not told of a pause that is none"
    assert [one.get("summary_due") for one in told.notices if one["state"] == "ended"] == [None, True, False]
    assert len(summarizer.requests[0].lines) == await Caption.objects.filter(meeting=meeting).exclude(text="").acount()


class BrokenSummarizer(ScriptedSummarizer):
    """Runs out of memory while it writes."""

    def summarize(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("CUDA out of memory")


async def test_a_summariser_that_fails_in_the_middle_costs_no_caption(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with working(broker, BrokenSummarizer):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: failure_of(meeting) == SummaryFailure.FAILED)
        before = len(await asyncio.to_thread(texts, meeting))
        await speak(broker, meeting, pcm[half:], first=following)
        await until(lambda: len(texts(meeting)) > before)
    assert (await Meeting.objects.aget(pk=meeting.pk)).summary_asked_at is not None, "still wanted"


class ChoosySummarizer(ScriptedSummarizer):
    """Fails on what is said in Portuguese."""

    def summarize(self, request: SummaryRequest, **options: Any) -> Any:
        if request.language == "pt":
            raise RuntimeError("an odd prompt")
        return super().summarize(request, **options)


async def test_a_summary_that_fails_puts_off_that_one_alone(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    odd = await Meeting.objects.acreate(title="Odd", language="pt")
    for one in (odd, meeting):
        await speak(broker, one, pcm)
    async with working(broker, ChoosySummarizer):
        await until(lambda: len(texts(meeting)) >= 1 and len(texts(odd)) >= 1)
        for one in (odd, meeting):
            await asyncio.to_thread(summary_attempts.ask, one.pk)
        await until(lambda: Summary.objects.filter(meeting=meeting).exists())
        await until(lambda: failure_of(odd) == SummaryFailure.FAILED)
        for one in (odd, meeting):
            await AudioLog(broker).mark(one.pk, "end")
        await until_async(lambda: broker.exists(audio_key(meeting.pk), audio_key(odd.pk)), 0)
    attempt = await SummaryAttempt.objects.aget()
    assert (attempt.pk, attempt.state) == (odd.pk, AttemptState.PUT_OFF), "the other was written"
    assert attempt.attempts >= summary_attempts.MAX_FINAL_ATTEMPTS, "and then it was closed without its summary"
    assert not await Summary.objects.filter(meeting=odd).aexists()


async def test_swaps_are_filed_however_many_there_were(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    pool = scripted_pool(ScriptedTranscriber, ScriptedSummarizer)
    for _ in range(REMEMBERED + 1):
        pool.history.add(SwapRecord(Direction.TO_SUMMARIZATION, SwapOutcome.COMPLETED, (), 1.0))
    await speak(broker, meeting, pcm)
    async with at_work(broker, pool):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: Swap.objects.count() == 2)


class HangingSummarizer(ScriptedSummarizer):
    """Does not look at its time; `may_end` ends the test."""

    def summarize(self, *arguments: Any, **options: Any) -> Any:
        self.begun.set()
        self.may_end.wait()
        raise RuntimeError("ended by the test")


async def test_a_summariser_that_hangs_ends_the_worker_and_is_put_off(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = HangingSummarizer()
    hanging.may_end.clear()
    monkeypatch.setattr(summary_attempts, "FIRST_RETRY_S", 60.0)
    monkeypatch.setattr(watchdog, "WRITING_S", 0.1)
    ended = ends(monkeypatch)
    await speak(broker, meeting, pcm)
    async with working(broker, lambda: hanging):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        assert await asyncio.to_thread(ended.get, timeout=20) == "writing"
        assert await asyncio.to_thread(summary_attempts.due, [meeting.pk]) == [], "not for the next worker at once"
        hanging.may_end.set()


async def test_models_that_hang_on_their_way_end_the_worker_and_are_put_off(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def load() -> Any:
        may_end.wait()
        raise RuntimeError("ended by the test")

    monkeypatch.setattr(summary_attempts, "FIRST_RETRY_S", 60.0)
    monkeypatch.setattr(watchdog, "MOVING_S", 0.1)
    ended = ends(monkeypatch)
    await speak(broker, meeting, pcm)
    async with working(broker, load):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        assert await asyncio.to_thread(ended.get, timeout=20) == "moving"
        assert await asyncio.to_thread(summary_attempts.due, [meeting.pk]) == [], "not for the next worker at once"
        await in_database(open_stream, meeting.pk)
        assert await asyncio.to_thread(failure_of, meeting) == SummaryFailure.BROKEN_OFF, "for the next worker"
        may_end.set()


def ends(monkeypatch: pytest.MonkeyPatch) -> queue.SimpleQueue[str]:
    """What the watchdog would have ended the process for."""
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    monkeypatch.setattr(watchdog, "end_process", lambda what, limit_s: said.put(what))
    return said


@pytest.mark.parametrize(
    ("kept_out", "trouble"),
    [(None, SummaryFailure.NONE_HERE), (DoesNotFit("3 GiB of 1 GiB"), SummaryFailure.TOO_LARGE)],
)
async def test_a_host_is_told_that_there_is_no_summariser(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, kept_out: Exception | None, trouble: SummaryFailure
) -> None:
    pool = scripted_pool(ScriptedTranscriber, left_out={SUMMARY: kept_out} if kept_out else {})
    await speak(broker, meeting, pcm)
    async with room(broker, meeting) as told, at_work(broker, pool):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: failure_of(meeting) == trouble)
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
    assert "summarizing" not in told.states, "viewers read of a pause that there is"


def failure_of(meeting: Meeting) -> str:
    return SummaryAttempt.objects.filter(pk=meeting.pk).values_list("error", flat=True).first() or ""


async def test_a_summary_waits_while_its_model_is_unpacked_and_captions_do_not(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_summarize, "UNPACKING_S", 0.2)
    unpacking = threading.Event()
    unpacking.set()
    pool = scripted_pool(ScriptedTranscriber, ScriptedSummarizer)
    worker = Worker("worker", Loaders(lambda: pool, is_summarizer_unpacking=unpacking.is_set), broker)
    task = asyncio.create_task(worker.run())
    await speak(broker, meeting, pcm)
    async with room(broker, meeting) as told:
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: failure_of(meeting) == SummaryFailure.UNPACKING)
        assert "summarizing" not in told.states
        unpacking.clear()
        await until(lambda: Summary.objects.filter(meeting=meeting).exists())
        await until(lambda: failure_of(meeting) == "")
    worker.stop()
    await asyncio.wait_for(task, 30)


async def test_the_end_of_a_meeting_waits_for_the_turn_of_the_captions(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    pool = scripted_pool(ScriptedTranscriber, ScriptedSummarizer, listener=SteadyListener)
    await asyncio.to_thread(pool.start)
    publisher = Publisher(broker)
    diarize_step = DiarizeStep(pool, publisher, Isolation(Assignments("worker", broker), publisher, broker))
    stream = await asyncio.to_thread(_said, meeting)
    stream.voices.hear(np.zeros(5 * SAMPLE_RATE, np.float32), 0)
    await diarize_step.turn({})
    await asyncio.to_thread(pool.swap_to_summarization)
    finished = asyncio.create_task(diarize_step.finish(stream))
    await diarize_step.turn({meeting.pk: stream})
    assert not finished.done()
    await asyncio.to_thread(pool.swap_to_transcription)
    await asyncio.wait_for(finished, 20)
    assert {caption.speaker async for caption in Caption.objects.filter(meeting=meeting)} == {"S1"}


def _said(meeting: Meeting) -> MeetingStream:
    """A meeting with one line that nobody is named for yet."""
    stream = MeetingStream(take_lease(meeting.pk), ResumeState())
    commit(stream.lease, [FinalCaption("1", 1, 2, "Hello.", "en", (Word(1, 2, "Hello.", 0.9),))], None)
    return stream


def _take_away(meeting: Meeting) -> None:
    take_lease(meeting.pk)
