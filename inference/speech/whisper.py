"""Whisper through CTranslate2."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.models.device import CPU, Device
from inference.speech.asr import DecodedWord, DecodeRequest, Hypothesis, StageSeconds, timed
from inference.speech.decoding import POLICIES, POSITIONS, log_mel, share_batches, spoken_frames
from inference.speech.language_id import choose_language, is_detection_told
from inference.speech.whisper_tokens import Vocabulary

if TYPE_CHECKING:
    import ctranslate2

CPU_WORKERS = 4
"""Maximum batches decoded concurrently on a CPU."""

GPU_BATCH = 16
"""Maximum requests per batch on a GPU."""


class CTranslate2Transcriber:
    """`inference.speech.asr.Transcriber` for a folder with a CTranslate2 Whisper model.

    On a CPU every batch is one request on one thread, and up to CPU_WORKERS run in parallel; a single utterance's
    matrices are too small to divide. On a GPU, requests of one shape form a batch.
    """

    def __init__(self, path: Path, *, device: Device = CPU, compute_type: str = "", workers: int = 0) -> None:
        """Raises CTranslate2's errors (RuntimeError, ValueError) if the folder does not hold a Whisper model."""
        from faster_whisper import WhisperModel

        on_cpu = device.kind == "cpu"
        workers = workers or (min(os.cpu_count() or 1, CPU_WORKERS) if on_cpu else 1)
        loaded = WhisperModel(
            str(path),
            device=device.kind,
            device_index=device.index,
            compute_type=compute_type or device.compute_type,
            cpu_threads=1,
            num_workers=workers,
        )
        self._model: ctranslate2.models.Whisper = loaded.model
        self._features = loaded.feature_extractor
        self._vocabulary = Vocabulary(loaded.hf_tokenizer, multilingual=loaded.model.is_multilingual)
        self._suppressed = self._vocabulary.suppressed()
        self._max_batch = 1 if on_cpu else GPU_BATCH
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="whisper")
        self.stages = StageSeconds()

    def warm_up(self) -> None:
        """Decode a second of silence as live text, so that the first caption does not wait for memory allocation.

        The wider windows of finals gain nothing from a warm-up, which would take 2.7 s of CPU at every start and
        whenever the weights return.
        """
        silence = np.zeros(SAMPLE_RATE, np.float32)
        self.transcribe([DecodeRequest(kind="live", start=0, audio=silence, language="en")])
        self.stages = StageSeconds()

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        """Return one hypothesis per request, in order. Audio beyond 30 s of a request is ignored."""
        batches = list(share_batches(requests, most=self._max_batch))
        decoded = self._pool.map(self._decode_batch, ([requests[place] for place in batch] for batch in batches))
        answers: dict[int, Hypothesis] = {}
        for batch, (hypotheses, stages) in zip(batches, decoded, strict=True):
            answers.update(zip(batch, hypotheses, strict=True))
            self.stages.add(stages)
        return [answers[place] for place in range(len(requests))]

    def _decode_batch(self, requests: list[DecodeRequest]) -> tuple[list[Hypothesis], StageSeconds]:
        """Runs in a thread of the pool."""
        started = time.perf_counter()
        stages = StageSeconds(audio=sum(len(request.audio) for request in requests) / SAMPLE_RATE)
        encoded = self._encode(requests, stages)
        ranking = self._ranking(requests[0], encoded, stages)
        language, certainty = choose_language(requests[0], ranking) if ranking else (requests[0].language or "en", 1.0)
        detected = self._detected(requests, encoded, stages)
        results = self._generate(requests, encoded, language, stages)
        texts = [self._vocabulary.plain(result.sequences_ids[0]) for result in results]
        words = self._align(requests, encoded, language, texts, stages)
        seconds = (time.perf_counter() - started) / len(requests)
        hypotheses = [
            Hypothesis(
                said, language, certainty, result.no_speech_prob, _mean_log_probability(result), seconds, other, ranking
            )
            for said, result, other in zip(words, results, detected, strict=True)
        ]
        return hypotheses, stages

    def _encode(self, requests: list[DecodeRequest], stages: StageSeconds) -> ctranslate2.StorageView:
        import ctranslate2

        frames = POLICIES[requests[0].kind].frames(len(requests[0].audio))
        with timed(stages, "features"):
            features = np.stack([log_mel(self._features, request.audio, frames) for request in requests])
        with timed(stages, "encode"):
            return self._model.encode(ctranslate2.StorageView.from_array(features))

    def _ranking(
        self, request: DecodeRequest, encoded: ctranslate2.StorageView, stages: StageSeconds
    ) -> tuple[tuple[str, float], ...]:
        """Return the languages; none if one was given. A request whose language must be detected has its own batch."""
        if request.language or not self._model.is_multilingual:
            return ()
        with timed(stages, "detect"):
            ranking = self._model.detect_language(encoded)[0]
        return tuple((token.strip("<|>"), probability) for token, probability in ranking)

    def _detected(
        self, requests: list[DecodeRequest], encoded: ctranslate2.StorageView, stages: StageSeconds
    ) -> list[tuple[str, float] | None]:
        """Return the detected language for finals with a given one. Costs one decoder step on the encoded audio."""
        is_told = [is_detection_told(request) for request in requests]
        if not any(is_told) or not self._model.is_multilingual:
            return [None] * len(requests)
        with timed(stages, "detect"):
            rankings = self._model.detect_language(encoded)
        likeliest = [(ranking[0][0].strip("<|>"), ranking[0][1]) for ranking in rankings]
        return [pair if told else None for pair, told in zip(likeliest, is_told, strict=True)]

    def _generate(
        self, requests: list[DecodeRequest], encoded: ctranslate2.StorageView, language: str, stages: StageSeconds
    ) -> list[Any]:
        policy = POLICIES[requests[0].kind]
        prompts = [self._vocabulary.prompt(language, hotwords=request.vocabulary) for request in requests]
        longest = policy.max_tokens(len(requests[0].audio))
        with timed(stages, "decode"):
            return self._model.generate(
                encoded,
                prompts,
                beam_size=policy.beam,
                no_repeat_ngram_size=policy.no_repeat,
                max_length=min(POSITIONS, len(prompts[0]) + longest),
                suppress_tokens=self._suppressed,
                return_scores=True,
                return_no_speech_prob=True,
            )

    def _align(
        self,
        requests: list[DecodeRequest],
        encoded: ctranslate2.StorageView,
        language: str,
        texts: list[list[int]],
        stages: StageSeconds,
    ) -> list[tuple[DecodedWord, ...]]:
        frames = [spoken_frames(len(request.audio)) for request in requests]
        # An empty text cannot be aligned. Next to others in a batch it gets a placeholder, whose words are dropped.
        with timed(stages, "align"):
            found = self._model.align(
                encoded, self._vocabulary.start(language), [text or [0] for text in texts], frames
            )
        return [
            self._vocabulary.words(
                text, language=language, alignment=aligned.alignments, probabilities=aligned.text_token_probs
            )
            for text, aligned in zip(texts, found, strict=True)
        ]


def _mean_log_probability(result: Any) -> float:
    """CTranslate2 divides the score by the length without the end token; Whisper's thresholds include it."""
    length = len(result.sequences_ids[0])
    return float(result.scores[0]) * length / (length + 1)
