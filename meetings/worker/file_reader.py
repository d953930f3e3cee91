"""One recording's file and the thread that reads it, so that a slow file holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from inference.audio import UnreadableAudioError
from inference.speech.recorded_file import RecordedFile

T = TypeVar("T")

STEP = 5
"""Blocks of one second that are read at once."""


class FileReader:
    """Read a decoded file from a sample on."""

    def __init__(self, file: RecordedFile, first_sample: int) -> None:
        self.file = file
        """What its attributes say is of what was read."""
        self._blocks = skipping(file, first_sample)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")

    async def stated_length(self) -> float | None:
        """Return the duration in seconds stated by the file, or None if it states none or cannot be read."""
        return await self._ask(lambda: stated_length(self.file))

    async def has_channels(self) -> bool:
        """Return whether the file has several channels; False if it cannot be read."""
        return await self._ask(lambda: has_channels(self.file))

    async def read(self) -> tuple[list[np.ndarray], UnreadableAudioError | None]:
        """Return up to STEP float32 blocks, fewer at the end, and the error that interrupted the file, if any."""
        return await self._ask(lambda: read(self._blocks))

    def close(self, *, wait: bool = False) -> None:
        """End the decoder. A read in progress ends with it."""
        self.file.kill()
        self._thread.submit(self.file.close)
        self._thread.shutdown(wait=wait)

    async def _ask(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread. When cancelled, kill the decoder instead of waiting for it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except asyncio.CancelledError:
            self.file.kill()
            raise


def has_channels(file: RecordedFile) -> bool:
    try:
        return file.channels > 1
    except UnreadableAudioError:
        return False


def stated_length(file: RecordedFile) -> float | None:
    try:
        return file.duration_s
    except UnreadableAudioError:
        return None


def read(blocks: Iterator[np.ndarray]) -> tuple[list[np.ndarray], UnreadableAudioError | None]:
    found: list[np.ndarray] = []
    try:
        found.extend(islice(blocks, STEP))
    except UnreadableAudioError as error:
        return found, error
    return found, None


def skipping(blocks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Yield float32 blocks without the first `samples`."""
    for block in blocks:
        if samples < len(block):
            yield block[samples:]
        samples = max(0, samples - len(block))
