"""Captions: latency, errors, flicker and CPU of the real product, paced at real time.

A host plays a recording in 100 ms frames at real time, the first at zero. A viewer's socket records every message, and
`benchmarks.scoring` scores what its page would show. Offline WER uses the same weights over the whole file
(faster-whisper, beam 5), in the same run. CPU is user and system time of each process while the recording plays and
drains. Invented words are those in the captions of recordings without speech.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from benchmarks.fanout import cpu_s
from benchmarks.references import Recording, load_recording
from benchmarks.report import REPOSITORY
from benchmarks.scoring import Score, Screen, score, word_errors, words_of
from benchmarks.statistics import percentile
from inference.audio import SAMPLE_RATE, decode_file
from meetings.device.asr import speech_model
from tests.live import Host, Message, Reader, RunningParlance, frames_of, running_parlance, to_pcm

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

AUDIO = REPOSITORY.parent / "shared" / "audio"
RECORDINGS = (
    "sim/sim_2spk.flac",
    "ami/ami_grp_EN2001_120s.flac",
    "ami/ami_EN2003a_0000s.flac",
    "ami/ami_EN2009b_0000s.flac",
)
QUICK = RECORDINGS[2:3]
LIMIT_S = 120.0
SILENT = ("digital_silence_60s", "white_-50dB_60s", "esc")
FAINT = ("sb_noise", "wts_laugh")
"""These may contain voices and are counted separately."""

NOISE_SPEED = 3.5
"""Finals do not depend on the pace. This is below the server's limit."""

PROCESSES = ("inference", "web", "valkey-server")


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Play the recordings of the folder `audio`; `quick` uses one clip of 30 s and no noise."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(speech_model(settings.ENVIRONMENT)), device="cpu", compute_type="int8")
    figures: dict[str, Any] = {}
    scores = []
    with running_parlance() as parlance:
        for name in QUICK if quick else RECORDINGS:
            recording = load_recording(audio / name, model, limit_s=LIMIT_S)
            paced, figures[recording.name] = measure(parlance, recording, model)
            scores.append(paced)
        if not quick:
            figures["noise"] = {
                "silent": invented(parlance, audio / "noise", SILENT),
                "faint_voices": invented(parlance, audio / "noise", FAINT),
            }
    figures["all"] = {**latencies(scores), "erasure": round(sum(s.erased for s in scores) / total_words(scores), 3)}
    return figures


def measure(parlance: RunningParlance, recording: Recording, model: WhisperModel) -> tuple[Score, dict[str, Any]]:
    """Measure one recording, live and offline."""
    before = {name: cpu_s(parlance.process(name)) for name in PROCESSES}
    host, reader = play(parlance, recording.samples, speed=1.0)
    spent = {name: cpu_s(parlance.process(name)) - before[name] for name in PROCESSES}
    paced = score(timeline(reader.messages, host.started), recording.words, recording.text)
    offline = offline_error_rate(recording, model)
    revised = revised_words([message for _, message in reader.messages if message["type"] == "caption"])
    return paced, {
        "audio_s": round(recording.seconds, 1),
        **latencies([paced]),
        "wer_paced": round(paced.word_error_rate, 4),
        "wer_offline": round(offline, 4),
        "wer_ratio": round(paced.word_error_rate / offline, 3) if offline else None,
        "erasure": round(paced.erasure, 3),
        "revised_words_percent": round(100 * revised / max(1, paced.final_words), 2),
        "cpu_s_per_audio_s": {name: round(seconds / recording.seconds, 3) for name, seconds in spent.items()},
        "cpu_s_per_audio_s_all": round(sum(spent.values()) / recording.seconds, 3),
    }


def revised_words(finals: Sequence[Message]) -> int:
    """Return the number of words in finals whose text was revised; names, translations and growth do not count."""
    texts: dict[str, list[str]] = {}
    revised = 0
    for caption in finals:
        words = words_of(caption["text"])
        before = texts.get(caption["segment"], [])
        if words[: len(before)] != before:
            revised += len(words)
        texts[caption["segment"]] = words
    return revised


def play(parlance: RunningParlance, samples: np.ndarray, *, speed: float) -> tuple[Host, Reader]:
    """Run a meeting from first frame to end with one viewer."""
    links = parlance.create_meeting("--language", "en")
    host, reader = Host(links, frames_of(to_pcm(samples)), speed=speed), Reader(links)

    async def meet() -> None:
        await asyncio.gather(host.play(), reader.watch())

    asyncio.run(meet())
    return host, reader


def timeline(messages: Sequence[tuple[float, Message]], started: float) -> list[Screen]:
    """Return what the viewer's page shows after each message: finals in order, then unstable text."""
    finals: dict[str, Message] = {}
    moving: dict[str, Message] = {}
    screens = [Screen(0.0, "", "")]
    for at, message in messages:
        if message["type"] == "caption":
            finals[message["segment"]] = message
            # As in static/js/captions.js: a final replaces partials that start no later.
            moving = {
                key: partial
                for key, partial in moving.items()
                if partial["start"] > message["start"] and (key != message["segment"] or _goes_on(message, partial))
            }
        elif message["type"] == "partial" and (
            message["segment"] not in finals or _goes_on(finals[message["segment"]], message)
        ):
            moving[message["segment"]] = message
        else:
            continue
        screens.append(Screen(at - started, _text(finals), _text(moving)))
    return screens


def _goes_on(caption: Message, partial: Message) -> bool:
    """Return whether the partial has the words after the sealed ones of an open caption."""
    return bool(caption.get("open")) and partial["start"] >= caption["end"]


def _text(messages: dict[str, Message]) -> str:
    ordered = sorted(messages.values(), key=lambda message: (message["start"], message["segment"]))
    return " ".join(message["text"] for message in ordered)


def latencies(scores: Sequence[Score]) -> dict[str, Any]:
    """Return latency percentiles over the words of all `scores`, in seconds."""
    figures: dict[str, Any] = {"words": total_words(scores)}
    for kind in ("first", "display", "commit"):
        waits = [wait for one in scores for wait in getattr(one, kind)]
        for percent in (50, 95):
            figures[f"{kind}_p{percent}_s"] = round(percentile(waits, percent), 3) if waits else None
    return figures


def total_words(scores: Sequence[Score]) -> int:
    return sum(one.final_words for one in scores)


def offline_error_rate(recording: Recording, model: WhisperModel) -> float:
    """Return the WER of the same weights over the whole file at once."""
    segments, _ = model.transcribe(recording.samples, language="en", beam_size=5)
    reference = words_of(recording.text)
    return word_errors(reference, words_of(" ".join(segment.text for segment in segments))) / len(reference)


def invented(parlance: RunningParlance, folder: Path, prefixes: tuple[str, ...]) -> dict[str, Any]:
    """Play recordings without speech in sequence; count the words in captions and the most shown at once."""
    paths = sorted(path for path in folder.glob("*.flac") if path.stem.startswith(prefixes))
    samples = np.concatenate([block for path in paths for block in decode_file(path)])
    _, reader = play(parlance, samples, speed=NOISE_SPEED)
    shown = [message["text"] for _, message in reader.messages if message["type"] == "partial"]
    final = " ".join(caption["text"] for caption in reader.transcript())
    minutes = len(samples) / SAMPLE_RATE / 60
    return {
        "minutes": round(minutes, 2),
        "words": len(words_of(final)),
        "words_per_minute": round(len(words_of(final)) / minutes, 2),
        "most_words_shown_at_once": max((len(words_of(text)) for text in shown), default=0),
        "text": final,
    }
