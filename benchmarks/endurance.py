"""Endurance: hours of one meeting, fed as fast as it is captioned, and the resources held after each hour.

The real product runs: a worker with all its models, a web process, Valkey. A host plays recordings in sequence, each
over a new socket. The next one begins when the log is captioned up to LAG_S before its end, so that the worker is never
idle and the log never long. Two viewers read all of it, one in Portuguese. After every hour of audio the host pauses
until everything is captioned, one viewer reconnects, a late viewer reads everything, and a clip is played at real time,
with live text. The meeting's start is set as many hours back as the meeting is long, so that the server accepts the
audio as that of a host who was offline; otherwise it limits the rate.

The state before and after is comparable: a short meeting was held, has ended and was forgotten. Slopes are least
squares over means of a tenth of an hour of audio, after the first hour. Each sample is printed to standard error when
taken.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.audience import CountingReader
from benchmarks.captions import AUDIO
from benchmarks.growth import growth
from benchmarks.vitals import Monitor, Vitals
from inference.audio import SAMPLE_RATE, decode_file
from meetings.batch.replay import Replay, file_frames
from tests.live import MeetingLinks, RunningParlance, running_parlance

FOLDERS = ("long", "sim", "ami", "conv")
"""Folders of recordings in English."""

LAG_S = 60.0
"""Remaining audio when the next recording begins."""

GAP_S = 4.0
"""Silence after each recording."""

FAST = 1_000.0
"""Multiple of real time; the server limits the pace."""

REST_EVERY_H = 1.0
SAMPLE_S = 10.0
POLL_S = 0.5
FORGET_S = 12.0
"""Seconds after which a worker's report and every lease have expired or been renewed."""


def run(*, audio: Path = AUDIO, hours: float = 8.0, minutes: float | None = None, model: Path | None = None) -> Any:
    """Run one meeting of `hours` hours, or as many as `minutes` of wall time allow.

    `model` is a folder with another Whisper than the starter's, for machines that are too slow for that.
    """
    environment = {"PARLANCE_ASR_MODEL": str(model)} if model else {}
    with running_parlance(environment=environment) as parlance:
        return measure(parlance, recordings_of(audio), hours=hours, minutes=minutes, model=model)


def measure(
    parlance: RunningParlance, recordings: list[Path], *, hours: float, minutes: float | None, model: Path | None
) -> dict[str, Any]:
    """Run a short meeting and the long one, and measure what remains."""
    asyncio.run(LongMeeting(parlance, recordings[-1:], hours=0.0).hold())
    long = LongMeeting(parlance, recordings, hours=hours, minutes=minutes)
    before = long.look()
    asyncio.run(long.hold())
    after = long.look()
    return {
        "model": model.name if model else "whisper-base",
        "asked_hours": hours,
        "asked_minutes": minutes,
        **long.outcome,
        **growth(before, long.samples, after),
        "keys_before_and_after": [before.broker_keys, after.broker_keys],
        "keys_after": long.monitor.keys(),
        "incidents": long.monitor.incidents(),
    }


def recordings_of(audio: Path) -> list[Path]:
    """Return the recordings. Raises FileNotFoundError if there are none."""
    found = [path for folder in FOLDERS for path in sorted((audio / folder).glob("*.flac"))]
    found = found or sorted(audio.glob("*.flac"))
    if not found:
        raise FileNotFoundError(f"{audio} holds no recordings")
    return found


@dataclass
class LongMeeting:
    """One meeting from its creation until the broker has forgotten it."""

    parlance: RunningParlance
    recordings: list[Path]
    hours: float
    """0 plays each recording once, at real time."""
    minutes: float | None = None
    rest_every_h: float = REST_EVERY_H
    samples: list[Vitals] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.parlance)
        self._links = self.parlance.create_meeting("--language", "en")
        self._readers = (CountingReader(self._links), CountingReader(self._links, language="pt"))
        self._began = time.monotonic()
        self._sent_s = 0.0

    async def hold(self) -> None:
        """Run everything from the first frame until the last key has expired."""
        if self.hours:
            await asyncio.to_thread(self._begin_earlier)
        self._began = time.monotonic()
        reading = [asyncio.create_task(reader.watch()) for reader in self._readers]
        watching = asyncio.create_task(self._watch())
        await self._feed()
        fed_s = time.monotonic() - self._began
        await _tell(self._links, "end")
        await asyncio.gather(*reading)
        watching.cancel()
        self.outcome = await self._judge(fed_s)
        await self._forgotten()

    def look(self) -> Vitals:
        """Take a sample now, whether or not the meeting exists."""
        return self.monitor.take(time.monotonic() - self._began, self.monitor.position(self._links.id))

    # -- what is played ----------------------------------------------------------------------------------------------

    async def _feed(self) -> None:
        rested_h = 0.0
        for recording in self._playlist():
            await self._captioned(LAG_S)
            if self._is_over():
                break
            await self._play(recording, speed=FAST if self.hours else 1.0)
            if self.hours and self._sent_s / 3600 - rested_h >= self.rest_every_h:
                rested_h = self._sent_s / 3600
                await self._rest()
        await self._captioned(LAG_S)

    def _playlist(self) -> Iterator[Path]:
        return itertools.cycle(self.recordings) if self.hours else iter(self.recordings)

    def _is_over(self) -> bool:
        out_of_time = self.minutes is not None and time.monotonic() - self._began > 60 * self.minutes
        return out_of_time or bool(self.hours and self._sent_s >= 3600 * self.hours)

    async def _play(self, recording: Path, *, speed: float) -> None:
        """Play a recording; return when all of it is stored."""
        blocks = itertools.chain(
            _counted(decode_file(recording), self), [np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)]
        )
        await Replay(file_frames(blocks), self._links.host(takeover=1), speed=speed).run()
        self._sent_s += GAP_S

    async def _rest(self) -> None:
        """Pause, reconnect one viewer, let a late viewer read, and play a clip at real time."""
        await _tell(self._links, "pause")
        await self._captioned(0.0)
        await self._readers[1].leave()
        await CountingReader(self._links).catch_up()
        await _tell(self._links, "resume")
        await self._play(self.recordings[-1], speed=1.0)

    def _begin_earlier(self) -> None:
        """Set the meeting's start back, as the module describes."""
        self.parlance.manage(
            "shell",
            "--no-imports",
            "--command",
            "from datetime import timedelta; from django.utils import timezone; from meetings.models import Meeting; "
            f"Meeting.objects.filter(pk='{self._links.id}')"
            f".update(started_at=timezone.now() - timedelta(hours={self.hours}))",
        )

    # -- what is seen ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            sample = await asyncio.to_thread(self.look)
            self.samples.append(sample)
            print(json.dumps(asdict(sample)), file=sys.stderr, flush=True)

    async def _captioned(self, lag_s: float) -> None:
        """Wait until at most `lag_s` seconds of stored audio have no captions."""
        while (await asyncio.to_thread(self.monitor.position, self._links.id)).behind_s > lag_s:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    async def _forgotten(self) -> None:
        """Wait until the broker holds nothing of the meeting, and expiring keys are gone."""
        while any(self._links.id in key for key in await asyncio.to_thread(self.monitor.keys)):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(FORGET_S)

    async def _judge(self, fed_s: float) -> dict[str, Any]:
        live, translated = self._readers
        late = CountingReader(self._links)
        await late.catch_up()
        return {
            "audio_hours": round(self._sent_s / 3600, 3),
            "wall_hours": round(fed_s / 3600, 3),
            "times_real_time": round(self._sent_s / fed_s, 2),
            "captions": sum(1 for text in late.texts.values() if text),
            "messages": {"live": dict(live.messages), "portuguese": dict(translated.messages)},
            "connections": {"live": live.connections, "portuguese": translated.connections},
            "late_reader_has_the_same": late.texts == live.texts,
        }


def _counted(blocks: Iterable[np.ndarray], meeting: LongMeeting) -> Iterator[np.ndarray]:
    for block in blocks:
        meeting._sent_s += len(block) / SAMPLE_RATE
        yield block


async def _tell(links: MeetingLinks, what: str) -> None:
    """Send one command of the host."""
    async with connect(links.host(session="endurance", takeover=1), max_size=None) as socket:
        while json.loads(await socket.recv())["type"] != "ready":
            continue
        await socket.send(json.dumps({"type": what}))
