"""Recovery: seconds without text after a failure, for the affected meeting and for a bystander.

`killed`: a host plays the clip at real time, a viewer reads, and after nine seconds a process is killed. The figure is
the time from the kill to the next text (partial or final), once for each process.

`faults`: two meetings at once, the affected one and a bystander's, each with a viewer. The figure is the longest time
without text on each screen from the fault until its end, minus the longest time without text in an undisturbed run,
because speech has pauses in both. Each transcript is also compared with that of an undisturbed meeting.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.start import CLIP
from tests.faults.causes import locked_database, stopped
from tests.faults.failing_models import FAILING, Failure, fail_for, failures, mend
from tests.faults.meeting import MID_SENTENCE, SLOWLY, LiveMeeting
from tests.faults.processes import Assignment, broker_of, second_worker
from tests.faults.test_failing_models import is_set_aside, try_again
from tests.live import Host, Message, Reader, RunningParlance, frames_of, load_pcm, running_parlance

VICTIMS = ("inference", "web", "valkey-server")
KILL_AT = 90
"""Frame number, in the middle of a sentence."""

HANG_LIMIT_S = 5
STOPPED_S = 10.0
BROKER_STOPPED_S = 8.0
LOCKED_S = 30.0
CULPRIT_CLIP = CLIP.with_name("lobster_41s.flac")

Fault = Callable[[RunningParlance, LiveMeeting, LiveMeeting], Awaitable[dict[str, float]]]
"""Causes one fault, and returns its measurements when it is over."""


def run() -> dict[str, Any]:
    """Kill each process of one running product once; then run each fault next to a bystander."""
    frames = frames_of(load_pcm(CLIP))
    with running_parlance() as parlance:
        _, expected = asyncio.run(play(parlance, frames, victim=None))
        killed = {victim: measure(parlance, frames, victim, expected) for victim in VICTIMS}
    return {"killed": killed, "faults": measure_faults()}


def measure(parlance: RunningParlance, frames: list[bytes], victim: str, expected: list[str]) -> dict[str, Any]:
    recovery_s, texts = asyncio.run(play(parlance, frames, victim=victim))
    return {"recovery_s": round(recovery_s, 2), "same_transcript": texts == expected}


async def play(parlance: RunningParlance, frames: list[bytes], *, victim: str | None) -> tuple[float, list[str]]:
    """Return the seconds without text after the kill (0 without one) and the transcript's texts."""
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
    """Return the seconds from `moment` (monotonic; 0 for none) to the first text that was not already in transit."""
    on_its_way_s = 0.1
    return next(at for at in text_times(messages) if at > moment + on_its_way_s) - moment if moment else 0.0


def text_times(messages: list[tuple[float, Message]]) -> list[float]:
    return [at for at, message in messages if message["type"] in ("partial", "caption")]


# ---- faults with a bystander -----------------------------------------------------------------------------------------


def measure_faults() -> dict[str, Any]:
    """Measure by fault; each has its own product, whose worker only loads Whisper."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**_whisper_alone(Path(folder)), **FAILING, "PARLANCE_HANG_LIMIT_S": str(HANG_LIMIT_S)}
        with running_parlance(environment=settings) as parlance:
            frames = [frames_of(load_pcm(path)) for path in (CULPRIT_CLIP, CLIP)]
            quiet = asyncio.run(_beside(parlance, frames, _nothing))
            found = {
                name: _figures(asyncio.run(_beside(parlance, frames, fault)), quiet) for name, fault in ALONE.items()
            }
            assignment = Assignment(broker_of(parlance))
            first = assignment.new_worker()
            with second_worker(parlance):
                workers = (first, assignment.new_worker(first))
                for name, fault in WITH_A_SECOND_WORKER.items():
                    found[name] = _figures(asyncio.run(_beside(parlance, frames, fault, workers=workers)), quiet)
    return found


async def _beside(
    parlance: RunningParlance, frames: list[list[bytes]], fault: Fault, *, workers: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the results of two meetings during the fault; with two workers, each has one meeting."""
    links, other = parlance.create_meeting(), parlance.create_meeting()
    for meeting, worker in zip((links, other), workers, strict=False):
        Assignment(broker_of(parlance)).reserve(meeting.id, worker)
    async with (
        LiveMeeting(links, frames[0], speed=1.0) as culprit,
        LiveMeeting(other, frames[1], speed=SLOWLY) as bystander,
    ):
        await culprit.sent(MID_SENTENCE)
        await bystander.read_on()
        began = time.monotonic()
        measured = await fault(parlance, culprit, bystander)
        over = time.monotonic()
        transcripts = [[caption["text"] for caption in await meeting.end()] for meeting in (culprit, bystander)]
        gaps = [longest_gap_s(text_times(meeting.reader.messages), began, over) for meeting in (culprit, bystander)]
    return {"gaps": gaps, "transcripts": transcripts, "measured": measured}


def longest_gap_s(times: list[float], began: float, over: float) -> float:
    """Return the longest time without text from `began`, including the gap in progress at `over` to its end."""
    inside = [at for at in times if at > began]
    upto = next((index + 1 for index, at in enumerate(inside) if at >= over), len(inside))
    points = [began, *inside[:upto]]
    return max((after - before for before, after in pairwise(points)), default=over - began)


def _figures(found: dict[str, Any], quiet: dict[str, Any]) -> dict[str, Any]:
    names = ("culprit", "bystander")
    without = {
        f"{name}_without_s": round(max(0.0, gap - usual), 2)
        for name, gap, usual in zip(names, found["gaps"], quiet["gaps"], strict=True)
    }
    same = {
        f"{name}_same_transcript": texts == expected
        for name, texts, expected in zip(names, found["transcripts"], quiet["transcripts"], strict=True)
    }
    return {**without, **same, **{name: round(value, 2) for name, value in found["measured"].items()}}


def _whisper_alone(folder: Path) -> dict[str, str]:
    """Create a models folder with Whisper only, as in the tests."""
    models = Path(os.environ.get("PARLANCE_MODELS_DIR", Path(__file__).parent.parent / "var" / "models"))
    (folder / "whisper-base").symlink_to(models / "whisper-base")
    return {"PARLANCE_MODELS_DIR": str(folder)}


async def _nothing(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    """Watch both meetings for as long as a fault would take."""
    await asyncio.sleep(STOPPED_S)
    return {}


async def _decode_raises(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    return await _set_aside(parlance, culprit, Failure.RAISE)


async def _decode_crashes(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    return await _set_aside(parlance, culprit, Failure.CRASH)


async def _set_aside(parlance: RunningParlance, culprit: LiveMeeting, failure: Failure) -> dict[str, float]:
    """Wait until the meeting is set aside; then repair the model and let an operator retry."""
    began = time.monotonic()
    fail_for(parlance.data, culprit.links.id, failure)
    await culprit.until(lambda: is_set_aside(parlance, culprit.links.id))
    set_aside_s = time.monotonic() - began
    await asyncio.to_thread(try_again, parlance, culprit.links.id)
    return {"set_aside_after_s": set_aside_s}


async def _decode_hangs(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    """Wait until another worker has the meeting; the model is repaired before that worker decodes."""
    assignment = Assignment(broker_of(parlance))
    holder = assignment.worker_of(culprit.links.id)
    fail_for(parlance.data, culprit.links.id, Failure.HANG)
    await culprit.until(lambda: bool(failures(parlance.data)))
    hung_at = failures(parlance.data)[0].at
    mend(parlance.data)
    await culprit.until(lambda: assignment.worker_of(culprit.links.id) not in ("", holder))
    taken_over_s = time.monotonic() - hung_at
    await culprit.read_on()
    return {"hang_limit_s": HANG_LIMIT_S, "taken_over_after_s": taken_over_s}


async def _worker_stopped(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    """Stop the worker of the affected meeting for ten seconds."""
    assignment = Assignment(broker_of(parlance))
    holder = assignment.worker_of(culprit.links.id)
    began = time.monotonic()
    async with stopped(parlance.process("inference"), STOPPED_S):
        await culprit.until(lambda: assignment.worker_of(culprit.links.id) not in ("", holder), within_s=STOPPED_S)
        taken_over_s = time.monotonic() - began
    return {"taken_over_after_s": taken_over_s}


async def _broker_stopped(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    async with stopped(parlance.process("valkey-server"), BROKER_STOPPED_S):
        pass
    await culprit.read_on()
    return {"away_s": BROKER_STOPPED_S}


async def _database_locked(parlance: RunningParlance, culprit: LiveMeeting, bystander: LiveMeeting) -> dict[str, float]:
    began = time.monotonic()
    with locked_database(parlance):
        await culprit.be_told("degraded", since=began)
        told_s = time.monotonic() - began
        await asyncio.sleep(LOCKED_S - told_s)
    await culprit.read_on()
    return {"away_s": LOCKED_S, "told_after_s": told_s}


ALONE: dict[str, Fault] = {
    "one meeting's decode raises": _decode_raises,
    "one meeting's decode crashes the only worker": _decode_crashes,
    "the broker is stopped for 8 s": _broker_stopped,
    "the database is locked for 30 s": _database_locked,
}
WITH_A_SECOND_WORKER: dict[str, Fault] = {
    "a worker is stopped for 10 s, two workers": _worker_stopped,
    "one meeting's decode hangs, two workers": _decode_hangs,
}
