"""Whisper through CTranslate2.

Whisper was trained on 30 s windows, but its encoder takes shorter ones, and the cost falls with the length. What it
does need is silence after the last word: without about half a second of zeros the decoder loops.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.asr import DecodedWord, DecodeRequest, Hypothesis, StageSeconds
from inference.audio import SAMPLE_RATE
from inference.device import CPU, Device
from inference.tokens import Vocabulary

if TYPE_CHECKING:
    import ctranslate2

HOP = 160
"""Samples between two frames of the log-mel spectrogram."""

LONGEST_WINDOW = 30.0
"""Seconds: all that the encoder has positions for."""

POSITIONS = 448
"""Tokens that the decoder has positions for, prompt included."""

UNSURE_LANGUAGE = 0.5
"""Below this probability a short utterance's language is taken from what was spoken before."""


@dataclass(frozen=True, slots=True)
class DecodePolicy:
    """How one kind of request is decoded. The figures behind the defaults are in docs/live-policy.md."""

    beam: int
    window: float
    """Shortest encoder window, seconds."""
    padding: float
    """Least silence after the audio, seconds."""
    window_step: float
    """Windows are a multiple of this long, seconds, so that requests of nearly one length share a batch."""
    tokens_a_second: float = 8.0
    """Bounds the text by the audio: nobody speaks faster."""

    def frames(self, samples: int) -> int:
        """Spectrogram frames of the window that `samples` of audio are decoded in."""
        seconds = max(self.window, samples / SAMPLE_RATE + self.padding)
        steps = ceil(min(seconds, LONGEST_WINDOW) / self.window_step)
        return round(steps * self.window_step * SAMPLE_RATE / HOP)

    def max_tokens(self, samples: int) -> int:
        """Most tokens that the text of `samples` of audio may have."""
        return 16 + int(samples / SAMPLE_RATE * self.tokens_a_second)


POLICIES = {
    "live": DecodePolicy(beam=1, window=8.0, padding=1.0, window_step=1.0),
    "final": DecodePolicy(beam=5, window=15.0, padding=1.0, window_step=1.0),
}


class CTranslate2Transcriber:
    """`inference.asr.Transcriber` over a folder with a CTranslate2 Whisper model.

    Raises what CTranslate2 raises (RuntimeError, ValueError) when the folder holds none.
    """

    def __init__(
        self, path: Path, *, device: Device = CPU, compute_type: str = "", threads: int = 0, max_batch: int = 1
    ) -> None:
        from faster_whisper import WhisperModel

        loaded = WhisperModel(
            str(path),
            device=device.kind,
            device_index=device.index,
            compute_type=compute_type or device.compute_type,
            cpu_threads=threads,
        )
        self._model: ctranslate2.models.Whisper = loaded.model
        self._features = loaded.feature_extractor
        self._vocabulary = Vocabulary(loaded.hf_tokenizer, multilingual=loaded.model.is_multilingual)
        self._suppressed = self._vocabulary.suppressed()
        self._max_batch = max_batch
        self.stages = StageSeconds()

    def warm_up(self) -> None:
        """Decodes a second of silence both ways, so that the first caption does not wait for memory to be laid out."""
        silence = np.zeros(SAMPLE_RATE, np.float32)
        for kind in ("live", "final"):
            self.transcribe([DecodeRequest(kind=kind, start=0, audio=silence, language="en")])

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        """One hypothesis a request, in their order. Audio past 29 s of a request is not heard."""
        answers: dict[int, Hypothesis] = {}
        places = sorted(range(len(requests)), key=lambda place: _shape(requests[place]))
        for _, group in groupby(places, key=lambda place: _shape(requests[place])):
            alike = list(group)
            for first in range(0, len(alike), self._max_batch):
                batch = alike[first : first + self._max_batch]
                answers.update(zip(batch, self._batch([requests[place] for place in batch]), strict=True))
        return [answers[place] for place in range(len(requests))]

    def _batch(self, requests: list[DecodeRequest]) -> list[Hypothesis]:
        """Decodes requests of one shape together."""
        started = time.perf_counter()
        encoded = self._encode(requests)
        language, certainty = self._language(requests[0], encoded)
        results = self._decode(requests, encoded, language)
        texts = [
            [*request.prefix, *self._vocabulary.plain(result.sequences_ids[0])]
            for request, result in zip(requests, results, strict=True)
        ]
        words = self._align(requests, encoded, language, texts)
        seconds = (time.perf_counter() - started) / len(requests)
        self.stages.audio += sum(len(request.audio) for request in requests) / SAMPLE_RATE
        return [
            Hypothesis(said, language, certainty, result.no_speech_prob, _mean_log_probability(result), seconds)
            for said, result in zip(words, results, strict=True)
        ]

    def _encode(self, requests: list[DecodeRequest]) -> ctranslate2.StorageView:
        import ctranslate2

        frames = POLICIES[requests[0].kind].frames(len(requests[0].audio))
        with self._stage("features"):
            features = np.stack([self._spectrogram(request.audio, frames) for request in requests])
        with self._stage("encode"):
            return self._model.encode(ctranslate2.StorageView.from_array(features))

    def _spectrogram(self, audio: np.ndarray, frames: int) -> np.ndarray:
        """Log-mel features, float32, shape (mels, frames), of the audio and the zeros after it."""
        padded = np.zeros(frames * HOP, np.float32)
        padded[: len(audio)] = audio[: len(padded)]
        return np.ascontiguousarray(self._features(padded, padding=0)[:, :frames], dtype=np.float32)

    def _language(self, request: DecodeRequest, encoded: ctranslate2.StorageView) -> tuple[str, float]:
        if request.language or not self._model.is_multilingual:
            return request.language or "en", 1.0
        return _choose_language(request, self._model.detect_language(encoded)[0])

    def _decode(self, requests: list[DecodeRequest], encoded: ctranslate2.StorageView, language: str) -> list[Any]:
        policy = POLICIES[requests[0].kind]
        prompts = [
            self._vocabulary.prompt(language, hotwords=request.vocabulary, prefix=request.prefix)
            for request in requests
        ]
        longest = max(policy.max_tokens(len(request.audio)) for request in requests)
        with self._stage("decode"):
            return self._model.generate(
                encoded,
                prompts,
                beam_size=policy.beam,
                max_length=min(POSITIONS, len(prompts[0]) + longest),
                suppress_tokens=self._suppressed,
                return_scores=True,
                return_no_speech_prob=True,
            )

    def _align(
        self, requests: list[DecodeRequest], encoded: ctranslate2.StorageView, language: str, texts: list[list[int]]
    ) -> list[tuple[DecodedWord, ...]]:
        frames = [
            max(2, min(len(request.audio) // HOP, round(LONGEST_WINDOW * SAMPLE_RATE / HOP))) for request in requests
        ]
        # An empty text cannot be aligned: beside others in a batch it gets a stand-in, whose words are dropped.
        with self._stage("align"):
            found = self._model.align(
                encoded, self._vocabulary.start(language), [text or [0] for text in texts], frames
            )
        return [
            self._vocabulary.words(
                text, language=language, alignment=aligned.alignments, probabilities=aligned.text_token_probs
            )
            for text, aligned in zip(texts, found, strict=True)
        ]

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        setattr(self.stages, name, getattr(self.stages, name) + time.perf_counter() - started)


def _shape(request: DecodeRequest) -> tuple[str, int, str, tuple[str, ...], int]:
    """Requests of one shape can be one batch: same window, same prompt length, same language.

    A language yet to be detected is shared with nobody.
    """
    frames = POLICIES[request.kind].frames(len(request.audio))
    language = request.language or f"of {request.start}"
    return request.kind, frames, language, request.vocabulary, len(request.prefix)


def _choose_language(request: DecodeRequest, ranking: list[tuple[str, float]]) -> tuple[str, float]:
    """The likeliest allowed language out of ("<|en|>", probability) pairs, best first; the fallback where unsure."""
    candidates = [(token.strip("<|>"), probability) for token, probability in ranking]
    allowed = [pair for pair in candidates if not request.allowed or pair[0] in request.allowed] or candidates
    total = sum(probability for _, probability in allowed)
    language, probability = allowed[0][0], allowed[0][1] / total
    if probability < UNSURE_LANGUAGE and request.fallback:
        return request.fallback, probability
    return language, probability


def _mean_log_probability(result: Any) -> float:
    """CTranslate2 divides the score by the length without the end token; Whisper's thresholds count it in."""
    length = len(result.sequences_ids[0])
    return float(result.scores[0]) * length / (length + 1)
