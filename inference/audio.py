"""Samples: their rate, their positions, and where they come from.

Everywhere in `inference` audio is float32 mono at `SAMPLE_RATE` in [-1, 1], and a position is a sample count since the
meeting's first sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

SAMPLE_RATE = 16_000
"""Samples per second: what Whisper and Silero were trained on."""

BLOCK = SAMPLE_RATE
"""Samples in a block of `decode_file`: one second."""


LOCAL_ONLY = {"protocol_whitelist": "file"}
"""FFmpeg's option: whatever a file names, nothing is fetched."""

PLAYLISTS = frozenset({"concat", "dash", "ffmetadata", "hls", "imf", "sdp"})
"""FFmpeg's names of formats that hold no sound of their own and name files that do."""


class UnreadableAudioError(ValueError):
    """The file is no recording that the installed decoders know, or it holds no sound."""


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


def decode_file(path: Path | str, *, block: int = BLOCK) -> Iterator[np.ndarray]:
    """The sound of any audio or video file as float32 blocks, shape (block,) and a shorter last one.

    Raises UnreadableAudioError when the file cannot be decoded, has no audio track, or is empty.
    """
    import av

    pending = AudioBuffer(0)
    try:
        with av.open(str(path), options=LOCAL_ONLY) as container:
            for samples in _resampled(container):
                pending.append(samples)
                yield from _full_blocks(pending, block)
    except av.error.FFmpegError as error:
        raise UnreadableAudioError(f"{path} cannot be read as audio: {error.strerror}") from error
    if pending.end == 0:
        raise UnreadableAudioError(f"{path} holds no sound")
    if pending.end > pending.start:
        yield pending.slice(pending.start, pending.end)


def duration_s(path: Path | str) -> float | None:
    """Seconds of a recording as its container says; None when it does not.

    Raises UnreadableAudioError when the file cannot be opened.
    """
    import av

    try:
        with av.open(str(path), options=LOCAL_ONLY) as container:
            return container.duration / av.time_base if container.duration else None
    except av.error.FFmpegError as error:
        raise UnreadableAudioError(f"{path} cannot be read as audio: {error.strerror}") from error


def _full_blocks(pending: AudioBuffer, block: int) -> Iterator[np.ndarray]:
    while pending.end - pending.start >= block:
        yield pending.slice(pending.start, pending.start + block)
        pending.drop_before(pending.start + block)


def _resampled(container: InputContainer) -> Iterator[np.ndarray]:
    import av

    if container.format.name in PLAYLISTS:
        raise UnreadableAudioError(f"{container.name} is a list of other files")
    if not container.streams.audio:
        raise UnreadableAudioError(f"{container.name} has no audio track")
    resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE)
    for frame in container.decode(container.streams.audio[0]):
        yield from _samples(resampler.resample(frame))
    yield from _samples(resampler.resample(None))


def _samples(frames: list[AudioFrame]) -> Iterator[np.ndarray]:
    for frame in frames:
        # The mean of the channels: a resampler's own downmix is louder, and clips where all channels are alike.
        yield frame.to_ndarray().mean(axis=0)
