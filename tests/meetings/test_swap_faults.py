"""Whatever a swap is at when its worker dies, the transcript is that of an undisturbed run, and the summary is written.

Real processes, a real recogniser, real kills: the worker kills itself at a line of its log (`tests.fatal_settings`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fatal_settings import FATAL, Line
from tests.inference.summarization import tiny_chat
from tests.live import Message, Reader, RunningParlance, frames_of, load_pcm, running_parlance
from tests.meetings.test_faults import assert_same
from tests.staged import StagedMeeting, link_models, play_whole

pytestmark = pytest.mark.xdist_group("processes")

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


@pytest.fixture(scope="module")
def parlance(whisper_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningParlance]:
    """Its summariser is a tiny one of the real class: workers load their models one after the other."""
    models = link_models(tmp_path_factory.mktemp("models"), whisper_base)
    summariser = tiny_chat.build(tmp_path_factory.mktemp("tiny-chat"))
    chosen = {"PARLANCE_MODELS_DIR": str(models), "PARLANCE_SUMMARY_MODEL": str(summariser)}
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


async def assert_newcomer_agrees(meeting: StagedMeeting) -> None:
    newcomer = Reader(meeting.links)
    assert await newcomer.snapshot() == meeting.reader.transcript()
    assert newcomer.summaries == meeting.reader.summaries
