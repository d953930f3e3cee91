"""Recordings with reference text and word end times.

Next to `NAME.flac` are `NAME.txt` (the text), and `NAME.words.json` (words with times) or `NAME.stm` (turns with text).
If only turns are known, word times come from a forced alignment: each turn's audio is aligned with its reference text
by Whisper's cross-attention (`WhisperModel.find_alignment`), independent of any decode.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.scoring import SpokenWord
from inference.audio import SAMPLE_RATE, decode_file

if TYPE_CHECKING:
    from faster_whisper import WhisperModel


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of an STM file."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    samples: np.ndarray
    """float32 mono at SAMPLE_RATE."""
    text: str
    words: tuple[SpokenWord, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def load_recording(path: Path, model: WhisperModel, *, limit_s: float = float("inf")) -> Recording:
    """Return the recording with its reference; a longer one is cut after the last turn that ends before `limit_s`."""
    samples = np.concatenate(list(decode_file(path)))
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    if len(samples) > limit_s * SAMPLE_RATE:
        turns = [turn for turn in read_turns(path.with_suffix(".stm")) if turn.end <= limit_s]
        samples = samples[: int((turns[-1].end + 0.5) * SAMPLE_RATE)]
        return Recording(path.stem, samples, " ".join(turn.text for turn in turns), align(samples, turns, model))
    known = path.with_name(f"{path.stem}.words.json")
    words = read_words(known) if known.exists() else align(samples, read_turns(path.with_suffix(".stm")), model)
    return Recording(path.stem, samples, text, words)


def read_words(path: Path) -> tuple[SpokenWord, ...]:
    return tuple(SpokenWord(word["word"], word["end"]) for word in json.loads(path.read_text(encoding="utf-8")))


def read_turns(path: Path) -> list[Turn]:
    """Return the turns of a NIST STM file, ordered by start."""
    fields = (line.split(maxsplit=5) for line in path.read_text(encoding="utf-8").splitlines())
    return sorted((Turn(float(row[3]), float(row[4]), row[5]) for row in fields), key=lambda turn: turn.start)


def align(samples: np.ndarray, turns: Sequence[Turn], model: WhisperModel) -> tuple[SpokenWord, ...]:
    """Return word ends in time order, from a forced alignment of each turn (at most 30 s) with its reference text."""
    return tuple(
        sorted((word for turn in turns for word in _align_turn(samples, turn, model)), key=lambda word: word.end)
    )


def _align_turn(samples: np.ndarray, turn: Turn, model: WhisperModel) -> Iterator[SpokenWord]:
    from faster_whisper.audio import pad_or_trim
    from faster_whisper.tokenizer import Tokenizer

    tokenizer = Tokenizer(model.hf_tokenizer, True, task="transcribe", language="en")
    audio = samples[int(turn.start * SAMPLE_RATE) : int(turn.end * SAMPLE_RATE)]
    features = model.feature_extractor(audio)
    frames = min(features.shape[-1], 3_000)
    encoded = model.encode(pad_or_trim(features))
    for word in model.find_alignment(tokenizer, [tokenizer.encode(f" {turn.text}")], encoded, frames)[0]:
        yield SpokenWord(word["word"], turn.start + float(word["end"]))
