"""Fairness: how long an API call with 0.6 s of speech and a file of 23 s take behind a recording of an hour.

First both are sent to a server with nothing to do, then while it captions the hour, then the same beside a live meeting
that is spoken without a pause. *Delay* is from the end of a phrase in that meeting to its final at the viewer: with the
hour alone, and with calls and the file too. `long_went_on_s` is the audio of the hour captioned in each part: it never
stands still. What takes longer than WAIT_S is given up and counts as null. `--quick` takes ten minutes instead of the
hour, one call, and half the live speech.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from benchmarks.pauses import first_finals
from benchmarks.report import REPOSITORY
from benchmarks.statistics import percentile
from inference.audio import SAMPLE_RATE, decode_file
from tests.live import Host, Reader, RunningParlance, frames_of, load_pcm, running_parlance

SPEECH = REPOSITORY / "tests" / "speech"
FILE = SPEECH / "lobster_24s.flac"
CLIP = SPEECH / "lobster_41s.flac"
CALL_S = 0.6
CALL_FROM_S = 1.0
WAIT_S = 120.0
UNDER_WAY_S = 30.0
"""Captioned audio after which the hour counts as under way."""

POLL_S = 0.1

SIGN_UP = """
from django.contrib.auth.models import User
from meetings.accounts.api_tokens import create_token
print(create_token(User.objects.create_user("program"), "fairness"))
"""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is measured."""

    long_minutes: float
    calls: int
    live_s: float


FULL, QUICK = Amounts(60.0, 5, 60.0), Amounts(10.0, 1, 30.0)


def run(*, quick: bool = False) -> dict[str, Any]:
    """Run all parts on one server."""
    amounts = QUICK if quick else FULL
    with running_parlance() as parlance, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(parlance, amounts, Path(folder)))


async def measure(parlance: RunningParlance, amounts: Amounts, folder: Path) -> dict[str, Any]:
    call, long = folder / "call.wav", folder / "long.flac"
    write_call(call)
    write_long(long, amounts.long_minutes * 60)
    async with AsyncExitStack() as stack:
        program = await stack.enter_async_context(await program_of(parlance))
        page = Page(await stack.enter_async_context(httpx.AsyncClient(base_url=parlance.url, timeout=60)))
        await page.sign_in(await asyncio.to_thread(parlance.new_sign_in_link))
        alone = await in_turn(program, page, call, amounts.calls)
        hour = await page.upload(long)
        await page.until(hour, lambda upload: upload["captioned"] > UNDER_WAY_S)
        behind = await page.going_on(hour, lambda: in_turn(program, page, call, amounts.calls))
        speech = Speech(parlance, amounts.live_s)
        live_alone = await page.going_on(hour, speech.hold)
        live = await page.going_on(hour, lambda: speech.hold(lambda: in_turn(program, page, call, amounts.calls)))
    return {
        "long_s": amounts.long_minutes * 60,
        "wait_s": WAIT_S,
        "alone": alone,
        "behind_the_long_one": behind,
        "live_and_the_long_one": live_alone,
        "live_and_all_of_them": live,
    }


def write_call(path: Path) -> None:
    samples = np.concatenate(list(decode_file(FILE)))
    first = int(CALL_FROM_S * SAMPLE_RATE)
    soundfile.write(path, samples[first : first + int(CALL_S * SAMPLE_RATE)], SAMPLE_RATE)


def write_long(path: Path, seconds: float) -> None:
    clip = np.concatenate(list(decode_file(CLIP)))
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        for _ in range(int(seconds * SAMPLE_RATE / len(clip)) + 1):
            file.write(clip)


async def program_of(parlance: RunningParlance) -> httpx.AsyncClient:
    token = await asyncio.to_thread(parlance.manage, "shell", "--verbosity", "0", "-c", SIGN_UP)
    headers = {"Authorization": f"Bearer {token.strip()}"}
    return httpx.AsyncClient(base_url=parlance.url, headers=headers, timeout=WAIT_S)


async def in_turn(program: httpx.AsyncClient, page: Page, call: Path, calls: int) -> dict[str, Any]:
    """Send the calls and then the file, each after the one before."""
    seconds: list[float | None] = []
    while len(seconds) < calls and None not in seconds:
        seconds.append(await timed(lambda: transcribe(program, call)))
    return {"calls_s": seconds, "file_s": await timed(lambda: page.caption(FILE))}


async def timed(work: Callable[[], Awaitable[object]]) -> float | None:
    """Return the seconds that `work` takes; None: it did not end within WAIT_S."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(WAIT_S):
            await work()
    except (TimeoutError, httpx.TimeoutException):
        return None
    return round(time.monotonic() - began, 2)


async def transcribe(program: httpx.AsyncClient, path: Path) -> None:
    files = {"file": (path.name, await asyncio.to_thread(path.read_bytes))}
    answer = await program.post("/v1/audio/transcriptions", files=files, data={"language": "en"})
    answer.raise_for_status()


@dataclass(slots=True)
class Page:
    """The page for uploads, signed in."""

    client: httpx.AsyncClient

    async def sign_in(self, link: str) -> None:
        (await self.client.get(link, follow_redirects=True)).raise_for_status()
        (await self.client.get("/uploads/")).raise_for_status()

    async def upload(self, path: Path) -> str:
        """Send the file as the page does; return the meeting's id."""
        content = await asyncio.to_thread(path.read_bytes)
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"]}
        fields = {"name": path.name, "size": len(content), "modified": 0, "type": "audio/flac", "language": "en"}
        begun = (await self.client.post("/uploads/", data=fields, headers=headers)).raise_for_status().json()
        for offset in range(0, len(content), 1 << 20):
            chunk = {**headers, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            sent = self.client.patch(begun["address"], content=content[offset : offset + (1 << 20)], headers=chunk)
            (await sent).raise_for_status()
        return str(begun["id"])

    async def until(self, meeting_id: str, condition: Callable[[dict[str, Any]], bool]) -> None:
        while not condition(await self.row(meeting_id)):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(POLL_S)

    async def row(self, meeting_id: str) -> dict[str, Any]:
        rows = (await self.client.get("/uploads/list")).raise_for_status().json()["uploads"]
        return next(row for row in rows if row["id"] == meeting_id)

    async def caption(self, path: Path) -> None:
        """Upload the file, and wait until it is ready."""
        meeting_id = await self.upload(path)
        await self.until(meeting_id, lambda upload: upload["state"] == "ready")

    async def going_on(self, meeting_id: str, part: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Measure a part; add how far the recording went meanwhile."""
        before, began = (await self.row(meeting_id))["captioned"], time.monotonic()
        figures = await part()
        seconds = round(time.monotonic() - began, 1)
        return {
            **figures,
            "seconds": seconds,
            "long_went_on_s": round((await self.row(meeting_id))["captioned"] - before, 1),
        }


@dataclass(frozen=True, slots=True)
class Speech:
    """A live meeting, spoken without a pause."""

    parlance: RunningParlance
    seconds: float

    async def hold(self, beside: Callable[[], Coroutine[Any, Any, dict[str, Any]]] | None = None) -> dict[str, Any]:
        """Hold the meeting, with something beside it, to its end."""
        links = await asyncio.to_thread(self.parlance.create_meeting, "--language", "en")
        clip = await asyncio.to_thread(load_pcm, CLIP)
        frames = (2 * frames_of(clip))[: round(self.seconds * 10)]
        host, reader = Host(links, frames), Reader(links)
        others = asyncio.create_task(beside()) if beside is not None else None
        await asyncio.gather(host.play(), reader.watch())
        delays = [at - host.started - end for at, end in first_finals(reader.messages)]
        return {
            "finals": len(delays),
            "delay_p50_s": round(percentile(delays, 50), 2),
            "delay_p95_s": round(percentile(delays, 95), 2),
            **(await others if others is not None else {}),
        }
