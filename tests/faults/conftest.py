"""What the rig's tests share: a worker that loads Whisper alone, and the transcripts of undisturbed meetings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.meeting import Clip, LiveMeeting
from tests.live import Message, RunningParlance, frames_of, load_pcm, running_parlance
from tests.once_a_run import once_a_run

UNDISTURBED_SPEED = 3.0


@pytest.fixture(scope="session")
def captions_alone(whisper_alone: Path) -> dict[str, str]:
    """Settings of workers that are killed and started again and again."""
    return {"PARLANCE_MODELS_DIR": str(whisper_alone)}


@pytest.fixture(scope="session")
def clips(captions_alone: dict[str, str], speech: Path) -> dict[str, Clip]:
    """By length in seconds: "41" and "106"."""
    longer, shorter = (load_pcm(speech / f"lobster_{name}s.flac") for name in ("41", "24"))
    frames = {"41": frames_of(longer), "106": frames_of(longer + shorter + longer)}
    captions = once_a_run("undisturbed", lambda: _undisturbed(captions_alone, frames))
    assert all(len(found) >= 4 for found in captions.values()), "a fault needs something to lose"
    return {name: Clip(frames[name], captions[name]) for name in frames}


@pytest.fixture(scope="session")
def clip(clips: dict[str, Clip]) -> Clip:
    """For a meeting whose fault is short or befalls it after its last word as well."""
    return clips["41"]


@pytest.fixture(scope="session")
def long_clip(clips: dict[str, Clip]) -> Clip:
    """For whoever has to go on speaking until a fault is over, on a busy machine too."""
    return clips["106"]


def _undisturbed(environment: dict[str, str], frames: dict[str, list[bytes]]) -> dict[str, list[Message]]:
    with running_parlance(environment=environment) as parlance:
        return asyncio.run(_play_all(parlance, frames))


async def _play_all(parlance: RunningParlance, frames: dict[str, list[bytes]]) -> dict[str, list[Message]]:
    async def play(name: str) -> list[Message]:
        links = await asyncio.to_thread(parlance.create_meeting)
        async with LiveMeeting(links, frames[name], speed=UNDISTURBED_SPEED) as meeting:
            return await meeting.end()

    return dict(zip(frames, [await play(name) for name in frames], strict=True))
