"""Files that do harm where they are decoded, sent by a program while people speak and read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.meeting import SLOWLY, Clip, LiveMeeting
from tests.faults.processes import only_these_die
from tests.live import RunningParlance, running_parlance
from tests.meetings.test_nothing_lost import assert_same
from tests.recordings import STAND_IN, bomb, damaged, record, retagged

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("failures"), pytest.mark.timeout(900)]

NEW_TOKEN = """
from django.contrib.auth.models import User
from meetings.accounts.api_tokens import create_token
print(create_token(User.objects.create_user("program"), "faults"))
"""
ANSWERED_WITHIN_S = 240.0
"""On a busy machine."""

READS = 2
"""Texts while each file is worked on."""


@pytest.fixture(scope="module")
def parlance(captions_alone: dict[str, str]) -> Iterator[RunningParlance]:
    with running_parlance(environment=captions_alone) as running:
        yield running


@pytest.fixture(scope="module")
def program(parlance: RunningParlance) -> Iterator[httpx.Client]:
    """With a token of its own."""
    token = parlance.manage("shell", "--verbosity", "0", "-c", NEW_TOKEN).strip()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=parlance.url, headers=headers, timeout=ANSWERED_WITHIN_S) as client:
        yield client


def transcribe(program: httpx.Client, path: Path) -> httpx.Response:
    with path.open("rb") as file:
        return program.post("/v1/audio/transcriptions", files={"file": file}, data={"model": "whisper-1"})


async def test_no_file_holds_up_the_captions_of_those_who_speak(
    parlance: RunningParlance, program: httpx.Client, long_clip: Clip, tmp_path: Path
) -> None:
    files = {
        retagged(record(tmp_path / "accent.wav", tags={"title": STAND_IN})): 200,
        bomb(tmp_path / "bomb.wav"): 400,
        damaged(record(tmp_path / "damaged.flac", codec="flac")): 200,
    }
    with only_these_die(parlance):
        async with LiveMeeting(parlance.create_meeting(), long_clip.frames, speed=SLOWLY) as meeting:
            await meeting.read_on()
            answers = {}
            for path in files:
                answering = asyncio.create_task(asyncio.to_thread(transcribe, program, path))
                await meeting.read_on(READS)
                answers[path] = (await answering).status_code
            assert answers == files
            assert set(meeting.told()) <= {"live"}
            assert_same(await meeting.end(), long_clip.captions)
            assert meeting.reader.connections == 1
