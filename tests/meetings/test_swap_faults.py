"""Whatever befalls a swap, the transcript is that of an undisturbed run, and the summary is written in the end.

Real processes, a real recogniser, real kills: the worker kills itself at a line of its log (`tests.fatal_settings`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from meetings.broker.commands import Command
from meetings.models import SummaryFailure
from meetings.store.summary_status import FAILURE_SENTENCES
from tests.fatal_settings import FATAL, HANG, Line
from tests.inference.summarization import tiny_chat
from tests.live import Message, Reader, RunningParlance, frames_of, load_pcm, running_parlance
from tests.meetings.test_nothing_lost import assert_same
from tests.operations import Operator
from tests.staged import StagedMeeting, play_whole

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes"), pytest.mark.timeout(900)]
"""A worker that dies is replaced by one that loads everything again, and a test has up to six of them."""

TIGHT = {"PARLANCE_RESIDENCY": "swap", "PARLANCE_DEVICE_BUDGET_GB": "1"}
"""No room for both groups of models, so that they are really unloaded and loaded."""

WRITTEN = {"event": "summary_written"}
ON_THE_WAY: dict[str, list[Line]] = {
    "captions are drained": [{"step": "drain"}],
    "captions have left": [{"step": "sleep", "model": "asr"}],
    "the summariser is loaded": [{"step": "load", "model": "summary"}],
    "a summary is being written": [{"state": "summarization"}, {"event": "token"}],
}
"""The summary is still to be written."""

SUMMARISER_LEAVES = [WRITTEN, {"state": "to transcription"}]
CAPTIONS_ARE_BACK = [WRITTEN, {"step": "wake", "model": "asr"}]

WEIGHTS = "model.safetensors"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def summariser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny one of the real class."""
    return tiny_chat.build(tmp_path_factory.mktemp("tiny-chat"))


@pytest.fixture(scope="module")
def parlance(whisper_alone: Path, summariser: Path) -> Iterator[RunningParlance]:
    """Its workers have what the tests are about, and load nothing else again and again."""
    chosen = {"PARLANCE_MODELS_DIR": str(whisper_alone), "PARLANCE_SUMMARY_MODEL": str(summariser)}
    with running_parlance(environment={**TIGHT, **FATAL, **chosen}) as running:
        yield running


@pytest.fixture(scope="module")
def frames(speech: Path) -> list[bytes]:
    return frames_of(load_pcm(speech / "lobster_24s.flac"))


@pytest.fixture(scope="module")
def undisturbed(parlance: RunningParlance, frames: list[bytes]) -> list[Message]:
    transcript = asyncio.run(play_whole(parlance, frames))
    assert len(transcript) >= 4, "the clip holds four sentences: a fault needs something to lose"
    return transcript


def test_models_really_take_turns(parlance: RunningParlance) -> None:
    assert "Models take turns in memory" in parlance.output


def test_workers_killed_on_the_way_to_a_summary_lose_nothing(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message]
) -> None:
    """One after the other, each a step further; the last one dies when it has written."""

    async def run() -> StagedMeeting:
        meeting = StagedMeeting(parlance, frames)
        await meeting.play_until(undisturbed[-2])
        for state in (*ON_THE_WAY.values(), SUMMARISER_LEAVES):
            assert meeting.reader.summaries == {}
            await meeting.die_in(state)
        await meeting.have_summaries(1)
        await meeting.end()
        await assert_newcomer_agrees(meeting)
        return meeting

    meeting = asyncio.run(run())
    assert_same(meeting.reader.transcript(), undisturbed)
    assert len(meeting.reader.summaries) == 1


def test_workers_killed_on_the_way_back_lose_nothing(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message]
) -> None:
    """The first has just woken the captions' model, the second is catching up with what was said meanwhile."""

    async def run() -> StagedMeeting:
        meeting = StagedMeeting(parlance, frames)
        await meeting.play_until(undisturbed[-3])
        await meeting.die_in(CAPTIONS_ARE_BACK)
        await meeting.have_summaries(1)
        await meeting.play_until(undisturbed[-2])
        before = meeting.notices("catching_up")
        await meeting.ask()
        await meeting.be_told("summarizing", times=2)
        await meeting.play_almost_all()
        await meeting.be_told_while_there("catching_up", times=before + 1)
        parlance.process("inference").kill()
        await meeting.end()
        await assert_newcomer_agrees(meeting)
        return meeting

    meeting = asyncio.run(run())
    assert_same(meeting.reader.transcript(), undisturbed)
    first, second = sorted(meeting.reader.summaries.values(), key=lambda summary: summary["to_s"])
    assert first["to_s"] < second["to_s"]


def test_a_summary_that_cannot_be_written_is_told_of_and_written_when_it_can_be(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message], summariser: Path
) -> None:
    """One trouble after the other, in one meeting."""

    async def run() -> StagedMeeting:
        meeting = StagedMeeting(parlance, frames)
        await meeting.play_until(undisturbed[-2])
        await never_comes_to_its_end(meeting)
        await loses_its_weights(meeting, summariser)
        await needs_too_much(meeting, summariser)
        await meeting.have_summaries(1)
        await meeting.end()
        await assert_newcomer_agrees(meeting)
        return meeting

    meeting = asyncio.run(run())
    assert_same(meeting.reader.transcript(), undisturbed)
    assert len(meeting.reader.summaries) == 1


async def never_comes_to_its_end(meeting: StagedMeeting) -> None:
    """The watchdog ends the worker; the next one captions on."""
    hang = meeting.parlance.data / HANG
    hang.touch()
    await meeting.ask()
    told = await meeting.host_reads(FAILURE_SENTENCES[SummaryFailure.BROKEN_OFF])
    hang.unlink()
    assert told["retry_summary_s"] is not None
    assert '"at": "writing"' in meeting.parlance.output


async def loses_its_weights(meeting: StagedMeeting, summariser: Path) -> None:
    weights, elsewhere = summariser / WEIGHTS, summariser.with_suffix(".away")
    weights.rename(elsewhere)
    await meeting.ask()
    told = await meeting.host_reads(FAILURE_SENTENCES[SummaryFailure.MISSING])
    elsewhere.rename(weights)
    assert told["retry_summary_s"] > 0
    assert meeting.reader.summaries == {}


async def needs_too_much(meeting: StagedMeeting, summariser: Path) -> None:
    """No pause is announced for what a worker knows it cannot write; the next one finds a smaller model."""
    pauses = meeting.notices("summarizing")
    more = summariser / "more.safetensors"
    with more.open("wb") as file:
        file.truncate(8_000 * MEGABYTE)
    meeting.parlance.process("inference").kill()
    await meeting.ask()
    told = await meeting.host_reads(FAILURE_SENTENCES[SummaryFailure.TOO_LARGE])
    assert told["retry_summary_s"] is None
    assert meeting.notices("summarizing") == pauses
    more.unlink()
    meeting.parlance.process("inference").kill()


def test_models_sleep_when_they_are_told_to_and_captions_come_back(
    parlance: RunningParlance, frames: list[bytes], undisturbed: list[Message]
) -> None:
    operator, worker = Operator(parlance), parlance.process("inference")
    before = worker.memory_full_info().uss
    assert "the models sleep until the first sound" in operator.tells(Command.SLEEP)
    assert before - worker.memory_full_info().uss > 60 * MEGABYTE, "the weights of a Whisper base in 8 bits"
    assert "captions are back" in operator.tells(Command.RESTORE)
    assert "captions were there already" in operator.tells(Command.RESTORE)
    begin = round(undisturbed[-3]["start"] * 10)
    assert_same(asyncio.run(play_whole(parlance, frames[:begin])), undisturbed[:-3])


async def assert_newcomer_agrees(meeting: StagedMeeting) -> None:
    newcomer = Reader(meeting.links)
    assert await newcomer.snapshot() == meeting.reader.transcript()
    assert newcomer.summaries == meeting.reader.summaries
