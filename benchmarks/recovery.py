"""Recovery: seconds from the kill of a process in mid-sentence until text reaches a viewer again.

A host plays the clip at real time, a viewer reads. After nine seconds the process is killed; the figure is the time
from then to the next text (partial or final) on the viewer's screen, once for each process. In the same run: whether
the transcript is that of an undisturbed one.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.start import CLIP
from tests.live import Host, Message, Reader, RunningParlance, frames_of, load_pcm, running_parlance

VICTIMS = ("inference", "web", "valkey-server")
KILL_AT = 90
"""Frame: a sentence is being spoken."""


def run() -> dict[str, Any]:
    """One kill of each process against one running product, and the transcript beside an undisturbed one."""
    frames = frames_of(load_pcm(CLIP))
    with running_parlance() as parlance:
        _, expected = asyncio.run(play(parlance, frames, victim=None))
        return {victim: measure(parlance, frames, victim, expected) for victim in VICTIMS}


def measure(parlance: RunningParlance, frames: list[bytes], victim: str, expected: list[str]) -> dict[str, Any]:
    recovery_s, texts = asyncio.run(play(parlance, frames, victim=victim))
    return {"recovery_s": round(recovery_s, 2), "same_transcript": texts == expected}


async def play(parlance: RunningParlance, frames: list[bytes], *, victim: str | None) -> tuple[float, list[str]]:
    """Seconds without text after the kill (0 without one), and the texts of the transcript."""
    links = await asyncio.to_thread(parlance.create_meeting)
    host, reader = Host(links, frames), Reader(links)
    killed_at = 0.0

    async def kill() -> None:
        nonlocal killed_at
        if victim:
            parlance.process(victim).kill()
            killed_at = time.monotonic()

    host.on_acked[KILL_AT] = kill
    watching = asyncio.create_task(reader.watch())
    await host.play()
    await watching
    return first_text_after(killed_at, reader.messages), [caption["text"] for caption in reader.transcript()]


def first_text_after(moment: float, messages: list[tuple[float, Message]]) -> float:
    """Seconds from `moment` (monotonic; 0: none) to the first text that was not on its way already."""
    on_its_way_s = 0.1
    times = (at for at, message in messages if message["type"] in ("partial", "caption") and at > moment + on_its_way_s)
    return next(times) - moment if moment else 0.0
