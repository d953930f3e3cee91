"""A worker obeys its operators: a real pool of models that are not real, a real broker, a real database."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import redis.asyncio
from django.utils import timezone

from inference.models.residency.pool import PoolState as PoolState
from inference.summarization.summary import IsCancelled, Summary, SummaryCancelled, SummaryRequest
from meetings.broker import commands
from meetings.broker.audio_log import AudioLog
from meetings.broker.commands import Command, CommandResult
from meetings.broker.reader_languages import ReaderLanguages
from meetings.broker.worker_reports import read_reports
from meetings.models import Meeting, State, SummaryAttempt, SummaryFailure, Translation
from meetings.models import Summary as StoredSummary
from meetings.store import summary_attempts
from meetings.worker import operator_commands
from meetings.worker import summarize as worker_summarize
from meetings.worker.diarize import DiarizeStep
from meetings.worker.speaker_track import SpeakerTrack
from meetings.worker.stream import MeetingStream
from tests.inference.doubles import ScriptedTranscriber
from tests.live import load_pcm
from tests.meetings.doubles import ScriptedSummarizer, scripted_pool
from tests.meetings.worker.test_summarize import at_work, room, working
from tests.meetings.worker.test_worker import speak, state_of, texts, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_summarize, "DWELL_S", 0.0)
    monkeypatch.setattr(worker_summarize, "PAUSE_WAIT_S", 0.5)
    monkeypatch.setattr(operator_commands, "QUIET_S", 0.0)


class EndlessSummarizer(ScriptedSummarizer):
    """Writes until it is cancelled."""

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        self.begun.set()
        while not is_cancelled():
            self.may_end.wait(0.01)
        raise SummaryCancelled


async def tell(broker: redis.Redis, order: Command) -> CommandResult | None:
    return await asyncio.to_thread(commands.send, broker, "worker", order)


def turn_of(broker: redis.Redis) -> str:
    """As the worker's report says it."""
    residency = read_reports(broker)["worker"].residency
    assert residency is not None
    return residency.state


async def asleep(broker: redis.Redis) -> None:
    """Once everything that was said is dealt with: what is not yet wakes them again."""
    while await tell(broker, Command.SLEEP) is not CommandResult.ASLEEP or turn_of(broker) != "asleep":  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def test_captions_are_restored_from_a_summary_that_is_being_written(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, meeting: Meeting, pcm: bytes
) -> None:
    endless = EndlessSummarizer()
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    async with room(broker, meeting) as told, working(broker, lambda: endless):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(endless.begun.wait, 20)
        before = len(await asyncio.to_thread(texts, meeting))
        assert await tell(broker_sync, Command.RESTORE) is CommandResult.RESTORED
        assert turn_of(broker_sync) == "transcription"
        await speak(broker, meeting, pcm[half:], first=following)
        await until(lambda: len(texts(meeting)) > before)
        await until(lambda: told.states[-2:] == ["catching_up", "live"])
    assert told.states.count("summarizing") == 1
    put_off = await SummaryAttempt.objects.select_related("meeting").aget()
    assert put_off.meeting.summary_asked_at is not None, "still wanted"
    assert put_off.error == SummaryFailure.STOPPED
    assert put_off.not_before is not None
    assert put_off.not_before > timezone.now() + timedelta(seconds=worker_summarize.BROKEN_OFF_S - 60)
    assert await StoredSummary.objects.acount() == 0


async def test_a_summary_that_still_waits_for_a_pause_is_broken_off_too(
    broker: redis.asyncio.Redis,
    broker_sync: redis.Redis,
    meeting: Meeting,
    pcm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loading, loaded = threading.Event(), threading.Event()

    def slow() -> ScriptedSummarizer:
        loading.set()
        loaded.wait(20)
        return ScriptedSummarizer()

    await speak(broker, meeting, pcm)
    async with working(broker, slow):
        await until(lambda: len(texts(meeting)) >= 1)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(loading.wait, 20)
        restoring = asyncio.create_task(tell(broker_sync, Command.RESTORE))
        loaded.set()
        assert await restoring is CommandResult.RESTORED
        assert await asyncio.to_thread(summary_attempts.due, [meeting.pk]) == []
    assert await StoredSummary.objects.acount() == 0


async def test_where_captions_are_written_there_is_nothing_to_restore(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis
) -> None:
    async with working(broker, ScriptedSummarizer):
        assert await tell(broker_sync, Command.RESTORE) is CommandResult.CAPTIONING


async def test_models_sleep_until_the_first_sound(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, meeting: Meeting, pcm: bytes
) -> None:
    async with working(broker, ScriptedSummarizer):
        await asleep(broker_sync)
        await speak(broker, meeting, pcm)
        await until(lambda: len(texts(meeting)) >= 3)
        await until(lambda: turn_of(broker_sync) == "transcription")


async def test_models_stay_asleep_in_a_meeting_where_nobody_speaks(
    broker: redis.asyncio.Redis,
    broker_sync: redis.Redis,
    meeting: Meeting,
    pcm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[bool] = []
    has_window = SpeakerTrack.has_window

    def looked(track: SpeakerTrack) -> bool:
        looks.append(has_window(track))
        return looks[-1]

    monkeypatch.setattr(SpeakerTrack, "has_window", looked)
    pool = scripted_pool(ScriptedTranscriber, ScriptedSummarizer)
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "pause")
    async with at_work(broker, pool):
        await until(lambda: state_of(meeting) == State.PAUSED)
        heard = len(looks)
        await until(lambda: len(looks) >= heard + 3 and not any(looks[-2:]))
        await asleep(broker_sync)
        before = len(looks)
        await until(lambda: len(looks) >= before + 3)
        assert pool.state is PoolState.ASLEEP


async def test_an_operator_can_wake_them(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    async with working(broker, ScriptedSummarizer):
        await asleep(broker_sync)
        assert await tell(broker_sync, Command.RESTORE) is CommandResult.RESTORED
        assert turn_of(broker_sync) == "transcription"


async def test_models_of_a_meeting_that_is_spoken_in_do_not_sleep(
    broker: redis.asyncio.Redis,
    broker_sync: redis.Redis,
    meeting: Meeting,
    pcm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operator_commands, "QUIET_S", 60.0)
    await speak(broker, meeting, pcm)
    async with working(broker, ScriptedSummarizer):
        await until(lambda: len(texts(meeting)) >= 1)
        assert await tell(broker_sync, Command.SLEEP) is CommandResult.IN_USE
        assert turn_of(broker_sync) == "transcription"


async def test_models_do_not_sleep_while_one_of_them_writes_a_summary(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, meeting: Meeting, pcm: bytes
) -> None:
    slow = ScriptedSummarizer()
    slow.may_end.clear()
    await speak(broker, meeting, pcm)
    async with working(broker, lambda: slow):
        await until(lambda: len(texts(meeting)) >= 3)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(slow.begun.wait, 20)
        assert await tell(broker_sync, Command.SLEEP) is CommandResult.BUSY
        slow.may_end.set()


async def test_a_summary_wakes_them(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await speak(broker, meeting, pcm)
    async with working(broker, ScriptedSummarizer):
        await until(lambda: len(texts(meeting)) >= 3)
        await asleep(broker_sync)
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await until(lambda: StoredSummary.objects.filter(meeting=meeting).exists())


async def test_a_reader_of_another_language_wakes_them(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await speak(broker, meeting, pcm)
    async with working(broker, ScriptedSummarizer):
        await until(lambda: len(texts(meeting)) >= 3)
        await asleep(broker_sync)
        await ReaderLanguages(broker).report(meeting.pk, ["pt"])
        await until(lambda: Translation.objects.filter(caption__meeting=meeting, language="pt").exists())


async def test_an_order_that_takes_its_time_is_under_way(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    giving = asyncio.create_task(asyncio.to_thread(commands.send, broker_sync, "slow", Command.RESTORE, within_s=0.5))
    told = await commands.receive(broker, "slow", wait_s=20)
    assert told is not None
    assert told.order is Command.RESTORE
    assert await giving is CommandResult.UNDER_WAY


async def test_an_order_that_nobody_takes_is_void(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    assert await asyncio.to_thread(commands.send, broker_sync, "gone", Command.SLEEP, within_s=0.05) is None
    assert await commands.receive(broker, "gone", wait_s=0.01) is None
    assert await broker.keys("parlance:*") == []


async def test_models_that_were_put_to_sleep_while_a_meeting_closes_are_woken(
    broker: redis.asyncio.Redis,
    broker_sync: redis.Redis,
    meeting: Meeting,
    pcm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, may_finish, finish = asyncio.Event(), asyncio.Event(), DiarizeStep.finish

    async def finish_asleep(self: DiarizeStep, stream: MeetingStream) -> None:
        begun.set()
        await may_finish.wait()
        await finish(self, stream)

    monkeypatch.setattr(DiarizeStep, "finish", finish_asleep)
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, ScriptedSummarizer):
        await asyncio.wait_for(begun.wait(), 20)
        await asleep(broker_sync)
        may_finish.set()
        await until(lambda: state_of(meeting) == State.ENDED)
