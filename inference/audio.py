"""Audio samples: rate, positions and sources.

Audio in `inference` is float32 mono at `SAMPLE_RATE` in [-1, 1]. A position is the number of samples since the
meeting's first sample.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.media.errors import UnreadableAudioError as UnreadableAudioError  # re-exported for callers
from inference.media.errors import refusal
from inference.media.options import DecodeOptions
from inference.media.process import DEFAULT_OPTIONS, DecoderProcess
from inference.media.protocol import MAX_CHANNELS, Damage, Failure, Gap, Header, MediaMessage, Reason, Samples
from inference.media.raw_formats import format_by_name, has_header, is_untold
from inference.media.sandbox import DEFAULT_LIMITS, Limits

SAMPLE_RATE = 16_000
"""Samples per second; Whisper and Silero were trained on this rate."""

BLOCK = SAMPLE_RATE
"""Samples in a block of `decode_file`: one second."""

MOST_APART = 10 * SAMPLE_RATE
"""Samples by which one track of a file may be behind another."""


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


class _Source:
    """The audio of one track or channel that waits to be read. Silence takes no memory."""

    def __init__(self, longest: int) -> None:
        self.end = 0
        """Samples received, with silence."""
        self._longest = longest
        self._parts: deque[np.ndarray | int] = deque()
        """Samples, or a number of silent ones."""
        self._hole = 0
        """Samples of silence that come before the next decoded ones. At the end of a file there is none."""
        self._surplus = 0
        """Samples to drop, because silence stands for them already."""

    def put(self, samples: np.ndarray) -> None:
        """Append float32 samples, shape (n,)."""
        self._append_silence(self._hole)
        self._hole = 0
        kept = samples[min(self._surplus, len(samples)) :]
        self._surplus -= len(samples) - len(kept)
        if len(kept):
            self._parts.append(kept)
            self.end += len(kept)

    def put_silence(self, samples: int) -> None:
        """Append silence, if anything follows, and up to the longest that a file may be."""
        dropped = min(self._surplus, samples)
        self._surplus -= dropped
        self._hole += samples - dropped

    def hurry_to(self, end: int) -> None:
        """Append silence up to `end` in place of what has not arrived. What arrives of it later is dropped."""
        ahead = end - self.end
        self._surplus += max(0, ahead - self._hole)
        self._hole = max(0, self._hole - ahead)
        self._append_silence(ahead)

    def _append_silence(self, samples: int) -> None:
        kept = min(samples, self._longest - self.end)
        if kept > 0:
            self._parts.append(kept)
            self.end += kept

    def take(self, samples: int) -> np.ndarray:
        """Return and remove the next samples, as many as asked for; all of them must be there."""
        taken = np.zeros(samples, np.float32)
        done = 0
        while done < samples:
            part = self._parts.popleft()
            size = min(samples - done, part if isinstance(part, int) else len(part))
            if isinstance(part, int):
                rest: np.ndarray | int = part - size
            else:
                taken[done : done + size], rest = part[:size], part[size:]
            done += size
            if (rest if isinstance(rest, int) else len(rest)) > 0:
                self._parts.appendleft(rest)
        return taken


class DecodedSources(Iterator[np.ndarray]):
    """The audio of one file, decoded by a child process: blocks of all its sources, and the file's metadata.

    A source is a track, or a channel of a track. A block is float32, shape (sources, n). The child starts on first use.
    Closing or garbage-collecting the object ends the child.
    """

    def __init__(self, path: Path, *, block: int, limits: Limits, options: DecodeOptions) -> None:
        self.missing_s: float | None = 0.0
        """Seconds that could not be read so far, of the track that misses most; None if decoding stopped at a point
        with an unknown remainder."""
        self._missed: defaultdict[int, float] = defaultdict(float)
        """The same by track."""
        self._path = path
        self._block = block
        self._limits = limits
        self._options = options
        self._process: DecoderProcess | None = None
        self._messages: Iterator[MediaMessage] = iter(())
        self._header: Header | None = None
        self._sources: dict[tuple[int, int], _Source] = {}
        """By track and channel."""
        self._taken = 0
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
    def sources(self) -> list[tuple[int, int]]:
        """Track and channel of each source. Raises as `header` does."""
        return list(self._sources) if self.header else []

    @property
    def duration_s(self) -> float | None:
        """Seconds according to the container; None if it does not say. Raises as `header` does."""
        return self.header.duration_s

    @property
    def heard_s(self) -> float:
        """Seconds decoded so far."""
        return max((source.end for source in self._sources.values()), default=0) / SAMPLE_RATE

    def __next__(self) -> np.ndarray:
        """Return the next block; the last may be shorter. All decodable audio comes before the error that ends it."""
        while self._ready < self._block and not self._is_over:
            self._hear()
        size = min(self._block, self._ready)
        if size == 0:
            self._finish()
        self._taken += size
        return np.stack([source.take(size) for source in self._sources.values()])

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
    def _ready(self) -> int:
        """Samples that are there of all sources."""
        return min((source.end for source in self._sources.values()), default=0) - self._taken

    def _finish(self) -> None:
        if self._error is not None:
            raise self._error
        raise StopIteration

    def _hear(self) -> None:
        """Process one more message from the child."""
        try:
            if self._process is None:
                options = _with_format(self._path, self._options)
                self._process = DecoderProcess(self._path, self._limits, options)
                self._messages = self._process.messages()
                if self._is_killed:
                    self._process.kill()
            self._take(next(self._messages))
        except UnreadableAudioError as error:
            self._error, self._is_over = error, True
            self.missing_s = self._left_s()
            self._even_out(0)
        except StopIteration:
            self._is_over = True
            self._even_out(0)

    def _take(self, message: MediaMessage) -> None:
        match message:
            case Header():
                self._begin(message)
            case Damage() | Gap():
                if isinstance(message, Damage):
                    self._missed[message.track] += message.seconds
                    self.missing_s = max(self._missed.values())
                for key, silent in self._sources.items():
                    if key[0] == message.track:
                        silent.put_silence(round(message.seconds * SAMPLE_RATE))
                self._even_out(MOST_APART)
            case Samples() if (source := self._sources.get((message.track, message.channel))) is not None:
                source.put(message.samples)
                self._even_out(MOST_APART)

    def _begin(self, header: Header) -> None:
        self._header = header
        longest = int(self._limits.longest_s * SAMPLE_RATE)
        channels = {track.index: max(1, min(track.channels, MAX_CHANNELS)) for track in header.tracks}
        for track in header.sources:
            for channel in range(channels[track] if self._options.separate_channels else 1):
                self._sources[track, channel] = _Source(longest)

    def _even_out(self, apart: int) -> None:
        """Put silence at the end of sources that lag by more than `apart` samples."""
        if len(self._sources) > 1:
            end = max(source.end for source in self._sources.values()) - apart
            for source in self._sources.values():
                if source.end < end:
                    source.hurry_to(end)

    def _left_s(self) -> float | None:
        """Return the seconds missing from a file that ends here."""
        if self._header is None or self._header.duration_s is None:
            return None
        return (self.missing_s or 0.0) + max(0.0, self._header.duration_s - self.heard_s)


class DecodedFile(DecodedSources):
    """The audio of one track, its channels mixed: blocks are float32, shape (n,)."""

    def __next__(self) -> np.ndarray:
        """Return the next block, as DecodedSources does."""
        block: np.ndarray = super().__next__()[0]
        return block


def decode_file(path: Path | str, *, block: int = BLOCK, limits: Limits = DEFAULT_LIMITS) -> DecodedFile:
    """Return the audio of any audio or video file as float32 blocks, shape (block,), the last one shorter.

    A child process decodes it (`inference.media`), so that a malicious file cannot harm this one. The default track is
    used. Silence stands for what the file leaves out, and for damaged audio; `missing_s` is the duration of the latter.

    Raises UnreadableAudioError at the first block if there is no audio, or later if decoding breaks off.
    """
    return DecodedFile(Path(path), block=block, limits=limits, options=DEFAULT_OPTIONS)


def decode_sources(
    path: Path | str, options: DecodeOptions, *, block: int = BLOCK, limits: Limits = DEFAULT_LIMITS
) -> DecodedSources:
    """Do the same for several tracks, or for channels apart: blocks have the shape (sources, block)."""
    return DecodedSources(Path(path), block=block, limits=limits, options=options)


def _with_format(path: Path, options: DecodeOptions) -> DecodeOptions:
    """Return the options with the format that the file's name says. Raises UnreadableAudioError if one is needed."""
    name = options.name or path.name
    if options.input_format or not path.is_file():
        return options
    beginning = _beginning(path)
    if is_untold(name) and not has_header(beginning):
        raise refusal(path, Failure(Reason.NO_HEADER))
    return replace(options, input_format=format_by_name(name, beginning))


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError:  # the decoder says why
        return b""
