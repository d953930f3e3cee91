"""Collects decode requests of all meetings and decodes them in batches. The only caller of the models."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Generic, TypeVar

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest, Hypothesis, StageSeconds, Transcriber
from inference.speech.session import CaptionSession
from inference.types import CaptionEvent

Key = TypeVar("Key", bound=Hashable)
"""The caller's key for a meeting."""


@dataclass(slots=True)
class Timings:
    """Counters of the engine since the start."""

    steps: int = 0
    finals: int = 0
    lives: int = 0
    compute_s: float = 0.0
    """Seconds in `Engine.step`."""
    final_audio_s: float = 0.0
    """Seconds of audio in final decodes."""

    @property
    def rtf(self) -> float:
        """Real-time factor: compute seconds per second of audio in final decodes."""
        return self.compute_s / self.final_audio_s if self.final_audio_s else 0.0


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Key]):
    """One request of one meeting with its result."""

    key: Key
    request: DecodeRequest
    hypothesis: Hypothesis


class Engine:
    """Must be used by one thread, the one that owns the device."""

    def __init__(self, transcriber: Transcriber, *, max_batch: int = 4) -> None:
        """`max_batch` limits the requests per step, and thereby the wait for the next text."""
        self.transcriber = transcriber
        """The current transcriber. May be replaced between steps, for example after a reload."""
        self.max_batch = max_batch
        self._turn = 0
        self._live_next = False
        self.timings = Timings()

    @property
    def stages(self) -> StageSeconds:
        """Compute seconds of the transcriber by stage."""
        return self.transcriber.stages

    def step(
        self, sessions: Mapping[Key, CaptionSession], *, live: bool = True, limit: int | None = None
    ) -> dict[Key, list[CaptionEvent]]:
        """Decode one batch across the meetings and return its events by meeting; empty if there was nothing to do.

        Finals come first, one per meeting in turn, so that a long backlog does not block other meetings. Between two
        batches of finals, meetings without a backlog get live text. Call it until the result is empty. `limit` caps the
        number of requests, so that other work on the device gets its turn sooner.
        """
        decoded = self.decode(sessions, live=live, limit=limit)
        events: dict[Key, list[CaptionEvent]] = {item.key: [] for item in decoded}
        for item in decoded:
            events[item.key].extend(sessions[item.key].accept(item.request, item.hypothesis))
        return events

    def decode(
        self, sessions: Mapping[Key, CaptionSession], *, live: bool = True, limit: int | None = None
    ) -> list[Decoded[Key]]:
        """Return what `step` would accept, in the same order, without changing any session's captions.

        Raises what the transcriber raises; the same batch can be requested again then.
        """
        started = time.perf_counter()
        chosen = self._choose(sessions, live=live)[:limit]
        if not chosen:
            return []
        hypotheses = self.transcriber.transcribe([request for _, request in chosen])
        self._count([request for _, request in chosen], time.perf_counter() - started)
        return [
            Decoded(key, request, hypothesis) for (key, request), hypothesis in zip(chosen, hypotheses, strict=True)
        ]

    def probe(self) -> None:
        """Decode half a second of silence, independent of the meetings. Raises what a broken device or model raises."""
        request = DecodeRequest(kind="final", start=0, audio=np.zeros(SAMPLE_RATE // 2, np.float32), language="en")
        self.transcriber.transcribe([request])

    def _choose(self, sessions: Mapping[Key, CaptionSession], *, live: bool) -> list[tuple[Key, DecodeRequest]]:
        keys = self._rotated(list(sessions))
        behind = [key for key in keys if sessions[key].backlog]
        spoken = [key for key in keys if not sessions[key].backlog] if live and (self._live_next or not behind) else []
        self._live_next = False
        texts = ((key, request) for key in spoken for request in sessions[key].requests(live=True))
        chosen = list(islice(texts, self.max_batch))
        if chosen or not behind:
            return chosen
        self._live_next = True
        return self._finals({key: sessions[key].requests(live=False) for key in behind})

    def _finals(self, requests: Mapping[Key, Sequence[DecodeRequest]]) -> list[tuple[Key, DecodeRequest]]:
        """Return the oldest final of every meeting, then the second oldest, until the batch is full."""
        named = ([(key, request) for request in ready] for key, ready in requests.items())
        in_turn = (entry for entry in chain.from_iterable(zip_longest(*named)) if entry is not None)
        return list(islice(in_turn, self.max_batch))

    def _rotated(self, keys: list[Key]) -> list[Key]:
        """Return the meetings, starting with a different one each step."""
        self._turn = (self._turn + 1) % len(keys) if keys else 0
        return keys[self._turn :] + keys[: self._turn]

    def _count(self, requests: Sequence[DecodeRequest], seconds: float) -> None:
        finals = [request for request in requests if request.kind != "live"]
        self.timings.steps += 1
        self.timings.finals += len(finals)
        self.timings.lives += len(requests) - len(finals)
        self.timings.compute_s += seconds
        self.timings.final_audio_s += sum(len(request.audio) for request in finals) / SAMPLE_RATE
