"""Names and translations in the running product: their cost for captions, and their latency.

Two Parlances run in parallel, one without diarization models and without readers of a translation. Each recording is
played to one and then to the other at real time, so that both run under the same conditions. The latency of a
translation or a name is from the caption's arrival at a viewer to the arrival of the revision that contains it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from websockets.asyncio.client import connect

from benchmarks.captions import AUDIO, PROCESSES, latencies, timeline
from benchmarks.fanout import cpu_s
from benchmarks.references import Recording, load_recording
from benchmarks.scoring import Score, score
from benchmarks.statistics import percentile
from meetings.device.asr import speech_model
from tests.live import Host, Message, Reader, RunningParlance, frames_of, running_parlance, to_pcm

RECORDINGS = ("sim/sim_2spk.flac", "ami/ami_grp_EN2001_120s.flac")
QUICK = ("ami/ami_EN2003a_0000s.flac",)
LIMIT_S = 120.0
LANGUAGE = "pt"


@dataclass
class TranslationReader(Reader):
    """Reads in LANGUAGE and records the first arrival of every caption, translation and name."""

    said: dict[str, float] = field(default_factory=dict)
    translated: dict[str, float] = field(default_factory=dict)
    named: dict[str, float] = field(default_factory=dict)

    async def watch(self) -> None:
        async with connect(self.links.viewer(lang=LANGUAGE), max_size=None) as socket:
            async for text in socket:
                message = json.loads(text)
                await self._take(socket, message)
                if message["type"] == "caption" and message["text"]:
                    self._note(message, self.messages[-1][0])
                if self.ended.is_set():
                    return

    def _note(self, caption: Message, at: float) -> None:
        self.said.setdefault(caption["segment"], at)
        if caption["translation"]:
            self.translated.setdefault(caption["segment"], at)
        if caption["speaker"] or caption["unsure"]:
            self.named.setdefault(caption["segment"], at)

    def waits(self, arrivals: dict[str, float]) -> list[float]:
        return [at - self.said[segment] for segment, at in arrivals.items()]


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Play recordings of the folder `audio`; `quick` uses one clip of 30 s."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(speech_model(settings.ENVIRONMENT)), device="cpu", compute_type="int8")
    recordings = [load_recording(audio / name, model, limit_s=LIMIT_S) for name in (QUICK if quick else RECORDINGS)]
    alone: list[Measured] = []
    together: list[Measured] = []
    with (
        _without_speakers() as models,
        running_parlance(environment={"PARLANCE_MODELS_DIR": models}) as plain,
        running_parlance() as full,
    ):
        for recording in recordings:
            alone.append(measure(plain, recording, Reader))
            together.append(measure(full, recording, TranslationReader, "--translate", LANGUAGE))
    return {"captions_alone": summed_up(alone), "with_speakers_and_translation": summed_up(together)}


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: float
    spent: dict[str, float]
    score: Score
    reader: Reader


def measure(parlance: RunningParlance, recording: Recording, kind: type[Reader], *arguments: str) -> Measured:
    before = {name: cpu_s(parlance.process(name)) for name in PROCESSES}
    links = parlance.create_meeting("--language", "en", *arguments)
    host, reader = Host(links, frames_of(to_pcm(recording.samples))), kind(links)

    async def meet() -> None:
        await asyncio.gather(host.play(), reader.watch())

    asyncio.run(meet())
    spent = {name: cpu_s(parlance.process(name)) - before[name] for name in PROCESSES}
    scored = score(timeline(reader.messages, host.started), recording.words, recording.text)
    return Measured(recording.seconds, spent, scored, reader)


def summed_up(measured: Sequence[Measured]) -> dict[str, Any]:
    seconds = sum(one.seconds for one in measured)
    figures: dict[str, Any] = {
        "audio_s": round(seconds, 1),
        **latencies([one.score for one in measured]),
        "cpu_s_per_audio_s": {name: round(sum(one.spent[name] for one in measured) / seconds, 3) for name in PROCESSES},
        "cpu_s_per_audio_s_all": round(sum(sum(one.spent.values()) for one in measured) / seconds, 3),
    }
    readers = [one.reader for one in measured if isinstance(one.reader, TranslationReader)]
    if readers:
        figures["translation_wait_s"] = _percentiles([wait for r in readers for wait in r.waits(r.translated)])
        figures["name_wait_s"] = _percentiles([wait for r in readers for wait in r.waits(r.named)])
        figures["captions"] = sum(len(reader.transcript()) for reader in readers)
    return figures


def _percentiles(waits: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(percentile(waits, percent), 3) for percent in (50, 95)}


@contextmanager
def _without_speakers() -> Iterator[str]:
    """Yield a models folder with Whisper only."""
    with tempfile.TemporaryDirectory(prefix="parlance-models-") as folder:
        source = speech_model(settings.ENVIRONMENT)
        (Path(folder) / source.name).symlink_to(source)
        yield folder
