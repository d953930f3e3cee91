"""Stand-ins for the two models, where the real ones would be slow: what they answer is a function of the audio."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodedWord, DecodeRequest, Hypothesis, StageSeconds
from inference.speech.vad import VAD_WINDOW, DetectorState
from inference.translation.translator import Translation, TranslationRequest, require_pairs

WORD_S = 0.25


class ScriptedDetector:
    """Takes the loudest sample of a window for its speech probability, a little smoothed by what came before.

    The smoothing makes the answer depend on the state, so that a state carried over wrongly is noticed.
    """

    def judge(self, window: np.ndarray, state: DetectorState) -> tuple[float, DetectorState]:
        probability = np.float32(0.9 * np.abs(window).max() + 0.1 * state.hidden[0])
        after = DetectorState(np.full_like(state.hidden, probability), state.cell, window[-len(state.context) :])
        return float(probability), after


class ScriptedTranscriber:
    """Says one word for each quarter second, named after the samples heard in it; live decodes mishear the last one."""

    def __init__(self) -> None:
        self.stages = StageSeconds()
        self.batches: list[list[DecodeRequest]] = []

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        self.batches.append(list(requests))
        return [hypothesis(_words(request), language=request.language or "en") for request in requests]


class PolyglotTranscriber(ScriptedTranscriber):
    """Writes down what it is told to, and hears Portuguese in all of it."""

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        return [replace(heard, detected=("pt", 0.95)) for heard in super().transcribe(requests)]


def _words(request: DecodeRequest) -> list[DecodedWord]:
    size = int(WORD_S * SAMPLE_RATE)
    count = len(request.audio) // size
    names = [zlib.crc32(request.audio[place * size : (place + 1) * size].tobytes()) for place in range(count)]
    words = [word(f"w{name:08x}", place * WORD_S) for place, name in enumerate(names)]
    if request.kind == "live" and words:
        words[-1] = word("mumble", words[-1].start)
    return words


def word(text: str, start: float, *, end: float | None = None, probability: float = 0.9) -> DecodedWord:
    """A decoded word whose one token is made from its text."""
    tokens = (zlib.crc32(text.encode()) % 50_000,)
    return DecodedWord(tokens, f" {text}", start, start + WORD_S if end is None else end, probability)


def hypothesis(
    words: Sequence[DecodedWord],
    *,
    language: str = "en",
    no_speech: float = 0.0,
    mean_log_probability: float = -0.2,
    seconds: float = 0.1,
) -> Hypothesis:
    """A hypothesis that no guard objects to, unless told otherwise."""
    return Hypothesis(tuple(words), language, 1.0, no_speech, mean_log_probability, seconds)


def sound(*stretches: tuple[float, int], seed: int = 0) -> np.ndarray:
    """Noise that `ScriptedDetector` takes for what is meant: (speech probability, windows) one after the other."""
    random = np.random.default_rng(seed)
    pieces = []
    for probability, windows in stretches:
        noise = random.uniform(-0.99, 0.99, (windows, VAD_WINDOW)).astype(np.float32)
        noise[:, 0] = 1.0
        pieces.append((noise * probability).reshape(-1))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


class ScriptedTranslator:
    """Answers `pt: …` for English and `en: …` for Portuguese; knows no other language."""

    label = "the scripted models"

    def __init__(self) -> None:
        self.batches: list[list[TranslationRequest]] = []

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"en": ("pt",), "pt": ("en",)}.get(source, ()))

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        require_pairs(self, requests)
        self.batches.append(list(requests))
        return [Translation(f"{request.target}: {request.text}", translated=True) for request in requests]
