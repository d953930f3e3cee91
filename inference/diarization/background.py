"""Diarize a recording in a thread parallel to its recognition; both use the same decoded audio."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from types import TracebackType

import numpy as np

from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import Listener
from inference.diarization.recording import diarize_recording
from inference.diarization.turns import SpeakerTurn

AHEAD = 120
"""Blocks that recognition may be ahead of diarization; 7.7 MB with blocks of one second."""

THREAD_CHECK_S = 0.5
"""Interval at which a thread waiting for room checks that the other one still runs."""


class BackgroundDiarization:
    """Diarizes the audio that passes through `overhear`; `turns` waits for the rest. The context ends the thread."""

    def __init__(self, listener: Listener, hint: SpeakerHint | None = None) -> None:
        self._blocks: Queue[np.ndarray | None] = Queue(AHEAD)
        self._waited_s = 0.0
        self.held_up_s = 0.0
        """Seconds that `overhear` waited for the diarization."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="speakers")
        self._pass = self._thread.submit(self._listen, listener, hint)

    def __enter__(self) -> BackgroundDiarization:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._pass.done():
            self._abandon()
        self._thread.shutdown()

    def overhear(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield float32 blocks at SAMPLE_RATE unchanged, and diarize them."""
        for block in blocks:
            self._give(block)
            yield block
        self._give(None)

    def turns(self) -> tuple[tuple[SpeakerTurn, ...], float]:
        """Return the turns and the compute seconds. Raises what the diarization raised.

        Call it after `overhear` is exhausted; before that it blocks forever.
        """
        return self._pass.result()

    def _listen(self, listener: Listener, hint: SpeakerHint | None) -> tuple[tuple[SpeakerTurn, ...], float]:
        started = time.perf_counter()
        turns = diarize_recording(self._heard(), listener, hint)
        return turns, time.perf_counter() - started - self._waited_s

    def _heard(self) -> Iterator[np.ndarray]:
        while True:
            started = time.perf_counter()
            block = self._blocks.get()
            self._waited_s += time.perf_counter() - started
            if block is None:
                return
            yield block

    def _give(self, block: np.ndarray | None) -> None:
        """Wait for room in the queue unless the thread has ended."""
        started = time.perf_counter()
        while not self._pass.done():
            try:
                self._blocks.put(block, timeout=THREAD_CHECK_S)
            except Full:
                continue
            break
        self.held_up_s += time.perf_counter() - started

    def _abandon(self) -> None:
        """Discard the queue and end the thread, because its result is not needed."""
        while True:
            try:
                self._blocks.get_nowait()
            except Empty:
                break
        self._blocks.put(None)
