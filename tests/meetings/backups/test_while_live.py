"""A backup that is made while somebody speaks, restored into another installation, in which the meeting goes on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.live import Host, MeetingLinks, Reader, RunningParlance, frames_of, load_pcm, running_parlance

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.long]

SPEED = 3.0
HELD_FROM = 60
"""Frame from which on the worker captions nothing, so that sound waits when the backup is made."""

SAVED_AT = 140


@pytest.fixture
def frames(speech: Path) -> list[bytes]:
    return frames_of(load_pcm(speech / "lobster_24s.flac"))


async def undisturbed(parlance: RunningParlance, frames: list[bytes]) -> list[str]:
    links = parlance.create_meeting()
    reader = Reader(links)
    watching = asyncio.create_task(reader.watch())
    await asyncio.wait_for(Host(links, frames, speed=SPEED).play(), 120)
    await asyncio.wait_for(watching, 30)
    return [caption["text"] for caption in reader.transcript()]


async def disturbed(parlance: RunningParlance, frames: list[bytes], backup: Path) -> MeetingLinks:
    """Speaks it to its end here too; returns the links of the meeting."""
    links = parlance.create_meeting()
    host = Host(links, frames, speed=SPEED)

    async def hold() -> None:
        parlance.process("inference").suspend()

    async def save() -> None:
        told = await asyncio.to_thread(parlance.manage, "backup", str(backup))
        assert "holds everything up to now" in told
        parlance.process("inference").resume()

    host.on_acked = {HELD_FROM: hold, SAVED_AT: save}
    await asyncio.wait_for(host.play(), 180)
    return links


async def go_on(links: MeetingLinks, frames: list[bytes]) -> tuple[int, list[str]]:
    """The host comes back to the other installation; returns where it was to go on, and what is read there."""
    async with connect(links.host(session="page")) as socket:
        first = json.loads(await socket.recv())["next_frame"]
    host, reader = Host(links, frames, speed=SPEED, session="page"), Reader(links)
    watching = asyncio.create_task(reader.watch())
    await asyncio.wait_for(host.play(), 180)
    await asyncio.wait_for(watching, 30)
    assert [message["missing_s"] for message in host.received if message["type"] == "ledger"][-1] == 0
    return first, [caption["text"] for caption in reader.transcript()]


def test_the_meeting_goes_on_where_it_was_saved(whisper_alone: Path, tmp_path: Path, frames: list[bytes]) -> None:
    environment = {"PARLANCE_MODELS_DIR": str(whisper_alone)}
    backup = tmp_path / "backup.tar"
    with running_parlance(environment=environment) as source:
        expected = asyncio.run(undisturbed(source, frames))
        links = asyncio.run(disturbed(source, frames, backup))
    (tmp_path / "target").mkdir()
    target = RunningParlance(tmp_path / "target", environment=environment)
    assert "Restored what was stored on" in target.manage("restore", str(backup))
    target.start()
    try:
        first, heard = asyncio.run(go_on(replace(links, port=target.port), frames))
    finally:
        assert target.stop() == 0
    assert SAVED_AT <= first < len(frames), "what waited in the broker is not asked for again"
    assert len(expected) >= 4
    assert heard == expected
