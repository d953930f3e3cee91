"""Audio samples: rate, positions and sources.

Audio in `inference` is float32 mono at `SAMPLE_RATE` in [-1, 1]. A position is the number of samples since the
meeting's first sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference.media.errors import UnreadableAudioError as UnreadableAudioError  # re-exported for callers
from inference.media.process import DecoderProcess
from inference.media.protocol import Damage, Header, MediaMessage, Samples
from inference.media.sandbox import DEFAULT_LIMITS, Limits

SAMPLE_RATE = 16_000
"""Samples per second; Whisper and Silero were trained on this rate."""

BLOCK = SAMPLE_RATE
"""Samples in a block of `decode_file`: one second."""


class MisplacedAudioError(ValueError):
    """The requested position was dropped from the buffer or has not arrived yet."""


def pcm16_to_float(data: bytes) -> np.ndarray:
    """Convert little-endian signed 16-bit PCM to float32 samples, shape (len(data) // 2,).

    Raises ValueError if the data end in the middle of a sample.
    """
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def float_to_pcm16(samples: np.ndarray) -> bytes:
    """Convert float32 samples to little-endian signed 16-bit PCM. Samples out of range are clipped, never wrapped."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


class AudioBuffer:
    """The samples from `start` up to `end`, by absolute position. Samples no longer needed are dropped in front."""

    def __init__(self, start: int) -> None:
        self.start = start
        self._blocks: list[np.ndarray] = []
        self._length = 0

    @property
    def end(self) -> int:
        """One past the last sample held."""
        return self.start + self._length

    def append(self, samples: np.ndarray) -> None:
        """Append float32 samples, shape (n,), at `end`."""
        self._blocks.append(np.array(samples, dtype=np.float32))
        self._length += len(samples)

    def slice(self, start: int, end: int) -> np.ndarray:
        """Return a copy of the samples in [start, end). Raises MisplacedAudioError outside [self.start, self.end)."""
        if not self.start <= start <= end <= self.end:
            raise MisplacedAudioError(f"[{start}, {end}) lies outside of the held [{self.start}, {self.end})")
        return self._joined()[start - self.start : end - self.start].copy()

    def drop_before(self, position: int) -> None:
        """Discard samples before `position`. Positions already dropped or not yet received are allowed."""
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
    """The audio of one file, decoded by a child process: float32 blocks and the file's metadata.

    The child starts on first use. Closing or garbage-collecting the object ends the child.
    """

    def __init__(self, path: Path, *, block: int, limits: Limits) -> None:
        self.missing_s: float | None = 0.0
        """Seconds that could not be read so far; None if decoding stopped at a point with an unknown remainder."""
        self._path = path
        self._block = block
        self._limits = limits
        self._process: DecoderProcess | None = None
        self._messages: Iterator[MediaMessage] = iter(())
        self._header: Header | None = None
        self._pending = AudioBuffer(0)
        self._hole = 0
        """Samples of silence to insert for missing audio before the next decoded samples."""
        self._error: UnreadableAudioError | None = None
        self._is_over = False
        self._is_killed = False

    @property
    def header(self) -> Header:
        """The container's metadata. Raises UnreadableAudioError if no audio can be decoded."""
        while self._header is None and not self._is_over:
            self._hear()
        if self._header is None:
            raise self._error or UnreadableAudioError(f"{self._path} cannot be read as audio")
        return self._header

    @property
    def duration_s(self) -> float | None:
        """Seconds according to the container; None if it does not say. Raises as `header` does."""
        return self.header.duration_s

    @property
    def heard_s(self) -> float:
        """Seconds decoded so far."""
        return self._pending.end / SAMPLE_RATE

    def __next__(self) -> np.ndarray:
        """Return the next block; the last may be shorter. All decodable audio comes before the error that ends it."""
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
        """End the child. Thread-safe; a pending read fails with an error."""
        self._is_killed = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the child. Must not be called while another thread reads a block."""
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
        """Process one more message from the child."""
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

    def _take(self, message: MediaMessage) -> None:
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
        """Return the seconds missing from a file that ends here."""
        if self._header is None or self._header.duration_s is None:
            return None
        return (self.missing_s or 0.0) + max(0.0, self._header.duration_s - self.heard_s)


def decode_file(path: Path | str, *, block: int = BLOCK, limits: Limits = DEFAULT_LIMITS) -> DecodedFile:
    """Return the audio of any audio or video file as float32 blocks, shape (block,), the last one shorter.

    A child process decodes it (`inference.media`), so that a malicious file cannot harm this one. The default track is
    used. Damaged audio is replaced by silence; `missing_s` is its duration.

    Raises UnreadableAudioError at the first block if there is no audio, or later if decoding breaks off.
    """
    return DecodedFile(Path(path), block=block, limits=limits)
