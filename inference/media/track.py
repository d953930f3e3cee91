"""Decode audio tracks into records: resample them, place them on the file's clock, and account for damage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import av
import av.logging
import numpy as np

from inference.media.downmix import Downmix
from inference.media.errors import RATES
from inference.media.protocol import (
    MAX_CHANNELS,
    RATE,
    Damage,
    Failure,
    Gap,
    MediaMessage,
    Reason,
    Samples,
    too_long,
    word,
)
from inference.media.sandbox import Limits, grant_time
from inference.media.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

EXACT = frozenset({"aiff", "caf", "flac", "mov", "w64", "wav"})
"""Formats whose stated length is exact: a file that ends earlier was truncated."""

BARE = frozenset({"aac", "ac3", "eac3", "loas", "mp3"})
"""Formats without packet positions: damage swallows the following packets together with their timestamps."""

MATROSKA = frozenset({"matroska", "webm"})
"""Equally exact if the file contains nothing else."""

SEAMLESS = BARE | {"flac"}
"""Formats that cannot omit a piece: a jump in time means lost audio."""

BLOCK, MOST = RATE, 8 * RATE
"""Samples per record: a second or slightly more, and never more than a record may hold."""

RESAMPLED_AT_ONCE = 1 << 16
"""Samples resampled at once. Some formats hold the whole file in one frame."""

LEAST_HOLE_S = 0.02
"""Tolerated jump in time where damage is known, or where only damage can cause a jump."""

FILE_TAIL_S = 0.5
"""How much earlier than stated the audio may end."""

LONGEST_HOLE_S = 600.0
"""A longer jump that no stated length confirms is a damaged timestamp, not missing audio."""

SUSPICION_S = 1.5
"""Seconds of audio that may pass between an FFmpeg error and the hole: the length of an Ogg page, with a margin."""

MAX_FAILURES = 100
"""Consecutive read failures after which the track is given up."""

GRANT_S = 60.0
"""Seconds of audio after which more CPU time is requested."""


class TrackRefused(Exception):
    """Decoding was refused or stopped."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Sink(Protocol):
    """Receives records."""

    def send(self, message: MediaMessage) -> None: ...


@dataclass(slots=True)
class _Hole:
    """Audio that could not be read since the last decoded frame."""

    is_there: bool = False
    seconds: float = 0.0
    """As far as the packets indicate."""


class _Outbox:
    """Holds back the first second until more follows or the track ends: even noise can decode to a few frames."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._held: list[MediaMessage] | None = []
        """None once records are sent directly."""

    def put(self, message: MediaMessage) -> None:
        if self._held is None:
            self._sink.send(message)
        else:
            self._held.append(message)

    def release(self) -> None:
        """Send the held records, and all later ones directly."""
        for message in self._held or ():
            self._sink.send(message)
        self._held = None


class TrackDecoder:
    """Decodes one track from packets to records."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        sink: Sink,
        limits: Limits,
        *,
        channels: int = 0,
        clock: Clock | None = None,
    ) -> None:
        """`channels`: keep so many channels apart; 0: mix them. `clock`: counts the audio of all tracks of the file."""
        self._container = container
        self._stream = stream
        self._outbox = _Outbox(sink)
        self._limits = limits
        self._formats = frozenset(container.format.name.split(","))
        self._voices = {container.format.name, stream.codec_context.name}
        """Names under which FFmpeg logs errors of this track."""
        self._index = container.streams.audio.index(stream)
        self._stated_end_s = _stated_end(container, stream)
        self._hole = _Hole()
        self._suspected_s: float | None = None
        """Position of FFmpeg's last error. Containers are read ahead, so the hole may come slightly later."""
        self._end_s: float | None = None
        """End of the last frame on the file's clock."""
        self._timeline = Timeline((container.start_time or 0) / av.time_base, self._stated_end_s, limits.longest_s)
        self._channels = channels
        self._downmix = Downmix()
        self._clock = clock or Clock(limits)
        self._shift_s = 0.0
        """Correction of later timestamps in a BARE format, which damage makes too early."""
        self._resampler: av.AudioResampler | None = None
        self._setup: tuple[str, str, int] | None = None
        self._anchor_s, self._since_anchor = 0.0, 0
        """Where on the file's clock the resampler began, and samples sent since."""
        self._pending: list[np.ndarray] = []
        self._pending_count = 0
        self._heard = 0
        """Total samples."""
        self._missing_s = 0.0
        self._good_bytes, self._good_s = 0, 0.0
        """Bytes decoded successfully, and their duration."""
        stream.codec_context.thread_count = 1

    def require_length(self) -> None:
        """Raise TrackRefused if the track says that it is longer than allowed."""
        longest_s = self._limits.longest_s
        if self._is_exact and self._stated_end_s is not None and self._stated_end_s > longest_s:
            raise TrackRefused(too_long(longest_s))

    def decode(self, packet: Packet | None) -> None:
        """Decode the track's next packet; None flushes the decoder."""
        with av.logging.Capture() as complaints:
            frames = self._decoded(packet)
            if self.is_meant(complaints):
                self.suspect()
        for frame in frames:
            self._take(frame)

    def is_meant(self, complaints: Iterable[tuple[int, str, str]]) -> bool:
        """Return whether FFmpeg complains about this track or about the container."""
        return any(name in self._voices for _, name, _ in complaints)

    def suspect(self) -> None:
        """Expect a hole near here."""
        self._suspected_s = self._end_s or 0.0

    def miss_packet(self) -> None:
        """Note that a packet, perhaps of this track, could not be read."""
        self._hole.is_there = True

    def finish(self) -> TrackRefused | None:
        """Send the rest of the audio. Return why there is none, if there is none."""
        self._finish_stretch()
        self._judge_end()
        if self._heard < min(RATE, self._missing_s * RATE) or not self._heard:
            return refused(Reason.UNREADABLE if self._missing_s else Reason.NO_SOUND)
        self._outbox.release()
        return None

    @property
    def _is_exact(self) -> bool:
        """Whether the stated length is that of the audio."""
        is_alone = len(self._container.streams) == 1
        return bool(self._formats & EXACT) or (is_alone and bool(self._formats & MATROSKA))

    @property
    def _is_suspicious(self) -> bool:
        return self._suspected_s is not None and (self._end_s or 0.0) - self._suspected_s < SUSPICION_S

    # -- packets -----------------------------------------------------------------------------------------------------

    def _decoded(self, packet: Packet | None) -> list[AudioFrame]:
        """Return the frames of a packet. A damaged packet has none; the next may decode again."""
        try:
            frames: list[AudioFrame] = self._stream.codec_context.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            self._hole.is_there = True
            self._hole.seconds += self._worth(packet)
            return []
        if packet is not None and frames:
            self._good_bytes += packet.size
        return frames

    def _worth(self, packet: Packet | None) -> float:
        """Return the seconds of audio that a damaged packet should have held."""
        if packet is None or not packet.time_base:
            return 0.0
        stated_s = float((packet.duration or 0) * packet.time_base)
        if not self._formats & BARE or not self._good_bytes:
            return stated_s
        return max(stated_s, packet.size * self._good_s / self._good_bytes)

    # -- frames ------------------------------------------------------------------------------------------------------

    def _take(self, frame: AudioFrame) -> None:
        if frame.sample_rate == 0:
            raise refused(Reason.SAMPLE_RATE, 0)
        require_bounds(frame.sample_rate, frame.layout.nb_channels)
        at_s = self._place(frame)
        self._fill_gap(at_s)
        setup = (frame.format.name, frame.layout.name, frame.sample_rate)
        if setup != self._setup:
            self._finish_stretch()
        if self._resampler is None:
            self._resampler, self._setup = av.AudioResampler(format="flt", rate=RATE), setup
            self._anchor_s, self._since_anchor = at_s, 0
        for piece in pieces(frame):
            self._keep(self._resampler.resample(piece))
        self._good_s += frame.samples / frame.sample_rate
        self._end_s = at_s + frame.samples / frame.sample_rate
        self._timeline.advance(frame.samples / frame.sample_rate)

    def _place(self, frame: AudioFrame) -> float:
        """Return where the frame begins on the file's clock, and report missing audio before it."""
        before_s = self._end_s
        time_s = frame.time
        at_s = (before_s or 0.0) if time_s is None else time_s + self._shift_s
        ahead_s = max(0.0, at_s - before_s) if before_s is not None else 0.0
        is_doubtful = self._is_suspicious or self._formats & SEAMLESS
        if self._hole.is_there or (ahead_s > LEAST_HOLE_S and is_doubtful):
            lost_s = self._lost(at_s, ahead_s)
            self._hole = _Hole()
            at_s = max(at_s, (before_s or 0.0) + lost_s) if self._formats & BARE else at_s
            self._shift_s += max(0.0, lost_s - ahead_s) if self._formats & BARE else 0.0
            self._miss(at_s - lost_s, lost_s)
        return at_s

    def _fill_gap(self, at_s: float) -> None:
        """Put silence before a frame that comes later than the audio before it."""
        seconds = self._timeline.silence_before(at_s)
        if seconds > 0:
            self._finish_stretch()
            self._outbox.put(Gap(self._index, at_s - seconds, seconds))

    def _lost(self, at_s: float, ahead_s: float) -> float:
        """Return the seconds lost before a frame at `at_s`, from its timestamp where timestamps can be trusted."""
        if self._formats & BARE:
            return max(ahead_s, self._hole.seconds)
        is_vouched_for = self._stated_end_s is not None and at_s <= self._stated_end_s
        if ahead_s > LONGEST_HOLE_S and not is_vouched_for:
            return self._hole.seconds
        return ahead_s or (self._hole.seconds if self._end_s is None else 0.0)

    def _judge_end(self) -> None:
        """Report audio missing at the end, according to the stated length or else to the last packets."""
        end_s = self._end_s or 0.0
        short_s = self._stated_end_s - end_s if self._stated_end_s is not None else 0.0
        is_damaged = (self._hole.is_there or self._is_suspicious) and not self._formats & BARE
        if short_s > FILE_TAIL_S and (is_damaged or self._is_exact):
            self._miss(end_s, short_s)
        elif self._hole.is_there:
            self._miss(end_s, self._hole.seconds)

    def _miss(self, at_s: float, seconds: float) -> None:
        if seconds > 0:
            self._missing_s += seconds
            self._finish_stretch()
            self._timeline.advance(seconds)
            self._outbox.put(Damage(self._index, at_s, seconds))

    # -- samples -----------------------------------------------------------------------------------------------------

    def _finish_stretch(self) -> None:
        """Send what the resampler still holds; the next frame gets a new one."""
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
            self._resampler = None
        self._flush()

    def _keep(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._pending.append(interleaved(frame))
            self._pending_count += frame.samples
        if self._pending_count >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        if not self._pending_count:
            return
        samples = np.concatenate(self._pending)
        self._pending, self._pending_count = [], 0
        self._heard += len(samples)
        if self._heard > self._limits.longest_s * RATE:
            raise TrackRefused(too_long(self._limits.longest_s))
        for start in range(0, len(samples), MOST):
            block = samples[start : start + MOST]
            for channel, sound in enumerate(self._kept_channels(block)):
                self._outbox.put(Samples(self._index, self._anchor_s + self._since_anchor / RATE, sound, channel))
            self._since_anchor += len(block)
        if self._heard > RATE:
            self._outbox.release()
        self._clock.count(len(samples) / RATE)

    def _kept_channels(self, block: np.ndarray) -> list[np.ndarray]:
        """Return the channels that are kept apart, with silence for those that are not here; else their mix."""
        if not self._channels:
            return [self._downmix.mix(block)]
        silence = np.zeros(len(block), np.float32)
        return [block[:, index] if index < block.shape[1] else silence for index in range(self._channels)]


class Clock:
    """Counts the audio of a file over all its tracks, and requests CPU time for it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._heard_s = self._granted_s = 0.0

    def count(self, seconds: float) -> None:
        self._heard_s += seconds
        if self._heard_s > self._granted_s + GRANT_S:
            self._granted_s = self._heard_s
            grant_time(self._limits, self._heard_s)


def decode_tracks(container: InputContainer, tracks: Mapping[int, TrackDecoder]) -> None:
    """Send all audio of the tracks, by index of their streams. Raises TrackRefused if none of them has any.

    MemoryError is raised beyond the limit.
    """
    first = next(iter(tracks.values()))
    first.require_length()
    with av.logging.Capture() as complaints:
        for index, packet in _packets(container, tracks):
            for track in tracks.values():
                if track.is_meant(complaints):
                    track.suspect()
            complaints.clear()
            tracks[index].decode(packet)
    refusals = [track.finish() for track in tracks.values()]
    if all(refusals):
        raise refusals[0] or refused(Reason.NO_SOUND)


def _packets(container: InputContainer, tracks: Mapping[int, TrackDecoder]) -> Iterator[tuple[int, Packet | None]]:
    """Yield each packet with its stream's index, skipping unreadable ones. The last of a stream flushes its decoder."""
    streams = [stream for stream in container.streams.audio if stream.index in tracks]
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(streams):
                failures = 0
                yield packet.stream.index, packet
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            failures += 1
            for track in tracks.values():
                track.miss_packet()
        else:
            return
    yield from ((index, None) for index in tracks)


def interleaved(frame: AudioFrame) -> np.ndarray:
    """Return the samples, float32, shape (n, channels). A resampler's own downmix clips if all channels are alike.

    The frame must be interleaved: PyAV reads out of bounds on planar frames with eight channels.
    """
    channels = frame.layout.nb_channels
    plane: Any = frame.planes[0]
    return np.frombuffer(plane, np.float32, count=frame.samples * channels).reshape(-1, channels).copy()


def pieces(frame: AudioFrame) -> Iterator[AudioFrame]:
    """Yield the frame in parts of at most PIECE samples, because resampling takes a multiple of their memory."""
    if frame.samples <= RESAMPLED_AT_ONCE:
        yield frame
        return
    queue = av.AudioFifo()
    queue.write(frame)
    while (piece := queue.read(RESAMPLED_AT_ONCE, partial=True)) is not None:
        yield piece


def _stated_end(container: InputContainer, stream: AudioStream) -> float | None:
    """Return the track's end as stated by the track, or else by a file of one track; None if neither does."""
    length_s = in_seconds(stream.duration, stream)
    if length_s is not None:
        return length_s + (in_seconds(stream.start_time, stream) or 0.0)
    if container.duration is None or len(container.streams.audio) > 1:
        return None
    return (container.duration + (container.start_time or 0)) / av.time_base


def require_bounds(rate: int, channels: int) -> None:
    """Raise Refused if a value is out of bounds. A zero rate passes: some containers leave it to the first frame."""
    if rate and rate not in RATES:
        raise refused(Reason.SAMPLE_RATE, f"{rate:,}")
    if channels > MAX_CHANNELS:
        raise refused(Reason.CHANNELS, channels)


def in_seconds(ticks: int | None, stream: AudioStream) -> float | None:
    """Convert a time of the stream to seconds; None stays None."""
    return None if ticks is None or not stream.time_base else float(ticks * stream.time_base)


def refused(reason: Reason, detail: object = "") -> TrackRefused:
    """Return the exception for a reason, with a detail for display."""
    return TrackRefused(Failure(reason, word(detail)))
