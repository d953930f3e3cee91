"""The audio of a recorded file as captions are made from it: its tracks mixed, and very quiet audio brought up.

All of it is a function of the file alone, so a worker that reads the file again gets the same samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

import numpy as np

from inference.audio import SAMPLE_RATE, UnreadableAudioError, decode_sources
from inference.level import LEVEL_BLOCK, Leveller
from inference.media.options import DecodeOptions, TrackChoice
from inference.media.protocol import Header
from inference.media.sandbox import DEFAULT_LIMITS, Limits
from inference.speech.crosstalk import CrosstalkGate
from inference.speech.vad import VAD_WINDOW, DetectorState, shared_detector

SPOKEN_TRACKS = DecodeOptions(tracks=TrackChoice.SPOKEN)

SPEECH = 0.5
"""Probability from which a window counts as speech."""

WINDOW_S = VAD_WINDOW / SAMPLE_RATE

PAUSE_S = 0.5
"""Seconds of pause that do not end a stretch of speech."""

SPOKEN_S = 0.5
"""Seconds of speech from which a track belongs to the conversation."""

LOOK_BACK = 4
"""Blocks by which the mix is behind the detection of speech, so that the first words of a track are heard."""

LOUDNESS_S = 0.1
"""Seconds over which loudness is measured."""

LEAST_SPEECH_S = 0.1
"""Seconds of speech without which nobody speaks."""

SILENT = 2e-4
"""Peak below which audio is digital silence, or its rounding noise."""

FAINT = 3e-3
"""Peak below which audio is too quiet for people."""


class Sound(StrEnum):
    """What a recording holds, as far as it says why nothing was captioned."""

    SILENCE = "silence"
    """Only digital silence."""
    FAINT = "faint"
    """No speech, and audio that is hardly above silence."""
    NO_SPEECH = "no_speech"
    """Audio in which no voice was detected: noise or music."""
    SPEECH = "speech"
    """A voice."""


class Voice:
    """Finds the speech in blocks of audio."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Seconds of speech so far."""
        self.spans: list[tuple[float, float]] = []
        """Start and end of each stretch of speech, in seconds."""
        self._heard_s = 0.0
        self._state = DetectorState.initial()
        self._rest = np.zeros(0, np.float32)

    def hear(self, block: np.ndarray) -> None:
        """Find the speech in the next samples."""
        audio = np.concatenate((self._rest, block))
        whole = len(audio) // VAD_WINDOW * VAD_WINDOW
        for window in audio[:whole].reshape(-1, VAD_WINDOW):
            probability, self._state = shared_detector().judge(window, self._state)
            if probability >= SPEECH:
                self._add(self._heard_s)
            self._heard_s += WINDOW_S
        self._rest = audio[whole:]

    def _add(self, start: float) -> None:
        self.seconds += WINDOW_S
        if self.spans and start - self.spans[-1][1] < PAUSE_S:
            self.spans[-1] = (self.spans[-1][0], start + WINDOW_S)
        else:
            self.spans.append((start, start + WINDOW_S))


class RecordedFile(Iterator[np.ndarray]):
    """One file's audio: float32 blocks of a second, shape (n,), the last one shorter."""

    def __init__(self, path: Path, options: DecodeOptions = SPOKEN_TRACKS, *, limits: Limits = DEFAULT_LIMITS) -> None:
        """Begin. Reading raises UnreadableAudioError, as `decode_file` does."""
        self.mixed: set[int] = set()
        """Indexes of the tracks that are heard so far."""
        self._file = decode_sources(path, options, block=LEVEL_BLOCK, limits=limits)
        self._options = options
        self._error: UnreadableAudioError | None = None
        self._voice = Voice()
        self._voices: list[Voice] = []
        """By channel, if they are kept apart."""
        self._loudness: list[np.ndarray] = []
        """Mean square of each LOUDNESS_S by channel, if they are kept apart."""
        self._peak = 0.0
        self._blocks = self._mix()

    @property
    def header(self) -> Header:
        """The container's metadata. Raises UnreadableAudioError if no audio can be decoded."""
        return self._file.header

    @property
    def duration_s(self) -> float | None:
        """Seconds according to the container; None if it does not say. Raises as `header` does."""
        return self._file.duration_s

    @property
    def missing_s(self) -> float | None:
        """Seconds that could not be read so far; None: it breaks off, and the rest is unknown."""
        return self._file.missing_s

    @property
    def heard_s(self) -> float:
        """Seconds decoded so far."""
        return self._file.heard_s

    @property
    def tracks(self) -> int:
        """Audio tracks in the file, once some of it was decoded."""
        return len(self._file.header.tracks) if self.heard_s else 1

    @property
    def sound(self) -> Sound:
        """What was there so far."""
        if self._voice.seconds >= LEAST_SPEECH_S:
            return Sound.SPEECH
        if self._peak < SILENT:
            return Sound.SILENCE
        return Sound.FAINT if self._peak < FAINT else Sound.NO_SPEECH

    @property
    def channels(self) -> int:
        """How many channels are kept apart; 1: they are mixed, or there is only one."""
        return len(self._file.sources) if self._options.separate_channels else 1

    @property
    def channel_spans(self) -> list[tuple[float, float, int]]:
        """Start and end in seconds of the speech on each channel so far, and the channel, if they are kept apart."""
        return sorted((*span, channel) for channel, voice in enumerate(self._voices) for span in voice.spans)

    def __next__(self) -> np.ndarray:
        """Return the next block. All decodable audio comes before the error that ends it."""
        block = next(self._blocks, None)
        if block is not None:
            self._listen(block)
            return block
        if self._error is not None:
            raise self._error
        raise StopIteration

    def channel_blocks(self) -> Iterator[np.ndarray]:
        """Yield the channels apart instead of their mix: float32 blocks of shape (channels, n), without crosstalk.

        Raises UnreadableAudioError after them if the file could not be read to its end.
        """
        for block in self._apart():
            self._listen(block.sum(axis=0))
            yield block
        if self._error is not None:
            raise self._error

    def _listen(self, block: np.ndarray) -> None:
        """Look for speech until there is some: `sound` asks no more."""
        if self._voice.seconds < LEAST_SPEECH_S:
            self._voice.hear(block)

    def loudness(self, channel: int, start: float, end: float) -> float:
        """Return the root mean square of a channel between two times, seconds, as it is in the file."""
        first = int(start / LOUDNESS_S)
        some = self._loudness[first : max(first + 1, round(end / LOUDNESS_S))]
        return float(np.sqrt(np.mean([row[channel] for row in some]))) if some else 0.0

    def kill(self) -> None:
        """End the decoder. Thread-safe; a pending read fails with an error."""
        self._file.kill()

    def close(self) -> None:
        """End the decoder. Must not be called while another thread reads a block."""
        self._file.close()

    def _mix(self) -> Iterator[np.ndarray]:
        """Yield the mix of the tracks that belong to the conversation, levelled."""
        if self.channels > 1:
            yield from _levelled_blocks(self._sum_of_channels())
        elif len(self._file.sources) == 1:
            self.mixed.add(self._file.sources[0][0])
            yield from _levelled_blocks(block[0] for block in self._read())
        else:
            yield from _levelled_blocks(self._several())

    def _sum_of_channels(self) -> Iterator[np.ndarray]:
        self._voices = [Voice() for _ in self._file.sources]
        for block in self._apart():
            for voice, channel in zip(self._voices, block, strict=True):
                voice.hear(channel)
            yield block.sum(axis=0)

    def _apart(self) -> Iterator[np.ndarray]:
        """Yield all channels, without crosstalk, each levelled by itself."""
        self.mixed.update(track for track, _ in self._file.sources)
        gate = CrosstalkGate(len(self._file.sources))
        yield from _levelled_sources((gate.push(self._measured(block)) for block in self._read()), self.channels)

    def _measured(self, block: np.ndarray) -> np.ndarray:
        size = round(LOUDNESS_S * SAMPLE_RATE)
        for start in range(0, block.shape[1], size):
            self._loudness.append(np.square(block[:, start : start + size]).mean(axis=1))
        return block

    def _several(self) -> Iterator[np.ndarray]:
        """Yield the sum of the default track and of those on which somebody has spoken."""
        tracks = [track for track, _ in self._file.sources]
        self.mixed.update(tracks if self._options.tracks is TrackChoice.ALL else tracks[:1])
        voices = [Voice() for _ in tracks]
        held: deque[np.ndarray] = deque()
        for block in _levelled_sources(self._read(), len(tracks)):
            for track, voice, samples in zip(tracks, voices, block, strict=True):
                if track not in self.mixed:
                    voice.hear(samples)
                    if voice.seconds >= SPOKEN_S:
                        self.mixed.add(track)
            held.append(block)
            if len(held) > LOOK_BACK:
                yield self._sum(tracks, held.popleft())
        for block in held:
            yield self._sum(tracks, block)

    def _sum(self, tracks: list[int], block: np.ndarray) -> np.ndarray:
        total: np.ndarray = block[[track in self.mixed for track in tracks]].sum(axis=0)
        return total

    def _read(self) -> Iterator[np.ndarray]:
        """Yield the decoder's blocks, and keep its error for later."""
        try:
            for block in self._file:
                self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
                yield block
        except UnreadableAudioError as error:
            self._error = error


def _levelled_blocks(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    leveller = Leveller()
    for block in blocks:
        if (levelled := leveller.push(block)) is not None:
            yield levelled
    if (levelled := leveller.flush()) is not None:
        yield levelled


def _levelled_sources(blocks: Iterable[np.ndarray], sources: int) -> Iterator[np.ndarray]:
    """Do the same for blocks of shape (sources, n), each source by itself."""
    levellers = [Leveller() for _ in range(sources)]
    for block in blocks:
        pushed = [leveller.push(row) for leveller, row in zip(levellers, block, strict=True)]
        if rows := [row for row in pushed if row is not None]:
            yield np.stack(rows)
    if rows := [row for leveller in levellers if (row := leveller.flush()) is not None]:
        yield np.stack(rows)
