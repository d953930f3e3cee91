"""Samples: their rate, their positions, and where they come from.

Everywhere in `inference` audio is float32 mono at `SAMPLE_RATE` in [-1, 1], and a position is a sample count since the
meeting's first sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference.media.errors import UnreadableAudioError as UnreadableAudioError  # callers know it from here
from inference.media.process import DecoderProcess
from inference.media.protocol import Damage, Header, Message, Samples
from inference.media.sandbox import DEFAULT_LIMITS, Limits

SAMPLE_RATE = 16_000
"""Samples per second: what Whisper and Silero were trained on."""

BLOCK = SAMPLE_RATE
"""Samples in a block of `decode_file`: one second."""


class MisplacedAudioError(ValueError):
    """A position was asked for that the buffer no longer holds, or does not hold yet."""


def pcm16_to_float(data: bytes) -> np.ndarray:
    """Samples of little-endian signed 16-bit PCM, float32, shape (len(data) // 2,).

    Raises ValueError when half a sample is left over.
    """
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def float_to_pcm16(samples: np.ndarray) -> bytes:
    """Float32 samples as little-endian signed 16-bit PCM; what is too loud is clipped, never wrapped."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


class AudioBuffer:
    """The samples from `start` up to `end`, by absolute position; what is no longer needed is dropped in front."""

    def __init__(self, start: int) -> None:
        self.start = start
        self._blocks: list[np.ndarray] = []
        self._length = 0

    @property
    def end(self) -> int:
        """One past the last sample held."""
        return self.start + self._length

    def append(self, samples: np.ndarray) -> None:
        """Adds float32 samples, shape (n,), at `end`."""
        self._blocks.append(np.array(samples, dtype=np.float32))
        self._length += len(samples)

    def slice(self, start: int, end: int) -> np.ndarray:
        """A copy of the samples in [start, end). Raises MisplacedAudioError outside of [self.start, self.end)."""
        if not self.start <= start <= end <= self.end:
            raise MisplacedAudioError(f"[{start}, {end}) lies outside of the held [{self.start}, {self.end})")
        return self._joined()[start - self.start : end - self.start].copy()

    def drop_before(self, position: int) -> None:
        """Forgets samples before `position`; those already gone, or not here yet, are no matter."""
        cut = min(position, self.end) - self.start
        if cut > 0:
            self._blocks = [self._joined()[cut:]]
            self._length -= cut
            self.start += cut

    def _joined(self) -> np.ndarray:
        if len(self._blocks) != 1:
            self._blocks = [np.concatenate(self._blocks)] if self._blocks else [np.zeros(0, np.float32)]
        return self._blocks[0]


class DecodedFile(Iterator[np.ndarray]):
    """The sound of one file, decoded by a child process: float32 blocks, and what is known of the file.

    The child starts with the first question. Whoever forgets the object, or closes it, ends the child.
    """

    def __init__(self, path: Path, *, block: int, limits: Limits) -> None:
        self.missing_s: float | None = 0.0
        """Seconds that could not be read so far; None: it broke off, and nobody knows how much was to come."""
        self._path = path
        self._block = block
        self._limits = limits
        self._process: DecoderProcess | None = None
        self._messages: Iterator[Message] = iter(())
        self._header: Header | None = None
        self._pending = AudioBuffer(0)
        self._hole = 0
        """Samples of silence that stand for what is missing before the next that are not."""
        self._error: UnreadableAudioError | None = None
        self._is_over = False
        self._is_killed = False

    @property
    def header(self) -> Header:
        """What the container says of itself. Raises UnreadableAudioError when nothing can be heard of the file."""
        while self._header is None and not self._is_over:
            self._hear()
        if self._header is None:
            raise self._error or UnreadableAudioError(f"{self._path} cannot be read as audio")
        return self._header

    @property
    def duration_s(self) -> float | None:
        """Seconds as the container says; None when it does not. Raises as `header` does."""
        return self.header.duration_s

    @property
    def heard_s(self) -> float:
        """Seconds decoded so far."""
        return self._pending.end / SAMPLE_RATE

    def __next__(self) -> np.ndarray:
        """The next block; the last may be shorter. What can be heard comes before the error that ends it."""
        while self._waiting < self._block and not self._is_over:
            self._hear()
        size = min(self._block, self._waiting)
        if size == 0:
            self._finish()
        start = self._pending.start
        block = self._pending.slice(start, start + size)
        self._pending.drop_before(start + size)
        return block

    def kill(self) -> None:
        """End the child, from any thread; what is being asked for is answered with an error."""
        self._is_killed = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the child; not while another thread asks for a block."""
        self._is_over = True
        if self._process is not None:
            self._process.close()

    @property
    def _waiting(self) -> int:
        return self._pending.end - self._pending.start

    def _finish(self) -> None:
        if self._error is not None:
            raise self._error
        raise StopIteration

    def _hear(self) -> None:
        """Take one more message."""
        try:
            if self._process is None:
                self._process = DecoderProcess(self._path, self._limits)
                self._messages = self._process.messages()
                if self._is_killed:
                    self._process.kill()
            self._take(next(self._messages))
        except UnreadableAudioError as error:
            self._error, self._is_over = error, True
            self.missing_s = self._left_s()
        except StopIteration:
            self._is_over = True

    def _take(self, message: Message) -> None:
        match message:
            case Header():
                self._header = message
            case Damage():
                self.missing_s = (self.missing_s or 0.0) + message.seconds
                self._hole += round(message.seconds * SAMPLE_RATE)
            case Samples():
                longest = int(self._limits.longest_s * SAMPLE_RATE)
                self._pending.append(np.zeros(min(self._hole, max(0, longest - self._pending.end)), np.float32))
                self._pending.append(message.samples)
                self._hole = 0

    def _left_s(self) -> float | None:
        """How much is missing of a file that breaks off here."""
        if self._header is None or self._header.duration_s is None:
            return None
        return (self.missing_s or 0.0) + max(0.0, self._header.duration_s - self.heard_s)


def decode_file(path: Path | str, *, block: int = BLOCK, limits: Limits = DEFAULT_LIMITS) -> DecodedFile:
    """The sound of any audio or video file as float32 blocks, shape (block,) and a shorter last one.

    A child process decodes it (`inference.media`), so that no file can harm this one. Of several tracks it is the
    default one. Silence stands for what is damaged, and `missing_s` says how much that is.

    Raises UnreadableAudioError, at the first block, when there is nothing to hear; later, when it breaks off.
    """
    return DecodedFile(Path(path), block=block, limits=limits)
