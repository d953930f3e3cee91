"""Decode one file in the child process: its tracks, timed audio, missing parts, and the reason it ends.

Everything here runs FFmpeg on untrusted bytes. No other process imports this module.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import av
import av.audio.stream  # PyAV loads this and the next two at the first stream of a kind, too late in the sandbox
import av.logging
import av.subtitles.stream
import av.video.stream
from av.stream import Discard, Disposition

from inference.media.options import DecodeOptions, TrackChoice
from inference.media.protocol import (
    MAX_CHANNELS,
    MAX_TRACKS,
    Alive,
    End,
    Header,
    MediaMessage,
    Reason,
    Track,
    encode,
    preamble,
    word,
)
from inference.media.raw_formats import raw_format
from inference.media.sandbox import Limits
from inference.media.track import Clock, TrackDecoder, TrackRefused, decode_tracks, in_seconds, refused, require_bounds

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

PLAYLISTS = frozenset({"concat", "dash", "ffmetadata", "hls", "imf", "sdp"})
"""FFmpeg's names of formats that contain no audio but refer to other files."""

M3U = b"#EXTM3U"
"""First bytes of a playlist. FFmpeg also checks the file name, which is not available here."""

ALIVE_S = 1.0
"""Seconds of reading without audio after which `Alive` is sent."""

READ_BYTES = 1 << 16


class NamesOtherFiles(Exception):
    """The container would make FFmpeg open another file."""


class Output:
    """Standard output. An alarm between two records ends a process that hangs, even inside FFmpeg."""

    def __init__(self, descriptor: int, stall_s: float) -> None:
        self._descriptor = descriptor
        self._stall_s = stall_s
        self._sent_at = time.monotonic()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self._write(preamble())

    def send(self, message: MediaMessage) -> None:
        """Write a record; block as long as the reader does."""
        self._write(encode(message))

    def tell_alive(self) -> None:
        """Send `Alive` if nothing was sent for a while."""
        if time.monotonic() - self._sent_at > ALIVE_S:
            self.send(Alive())

    def _write(self, record: bytes) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        rest = memoryview(record)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        signal.setitimer(signal.ITIMER_REAL, self._stall_s)
        self._sent_at = time.monotonic()


class InputFile:
    """The file on standard input as a file object for FFmpeg. It may be a pipe, which is not seekable."""

    def __init__(self, descriptor: int, output: Output) -> None:
        self.beginning = b""
        """The first bytes."""
        self._descriptor = descriptor
        self._output = output

    def read(self, size: int) -> bytes:
        self._output.tell_alive()
        content = os.read(self._descriptor, size)
        self.beginning = self.beginning or content[: len(M3U)]
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def seekable(self) -> bool:
        try:
            self.tell()
        except OSError:
            return False
        return True


def decode(source: InputFile, output: Output, limits: Limits, options: DecodeOptions) -> None:
    """Send all audio that can be decoded. Raises TrackRefused, and MemoryError beyond the limit."""
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with _open(source, options.input_format) as container:
        tracks = container.streams.audio
        if not tracks:
            raise refused(Reason.NO_SOUND)
        if len(tracks) > MAX_TRACKS:
            raise refused(Reason.TRACKS, len(tracks))
        streams = _selected(container, options)
        for other in container.streams:
            other.discard = Discard.default if other in streams else Discard.all
        output.send(_header(container, streams))
        clock = Clock(limits)
        decode_tracks(
            container,
            {
                stream.index: TrackDecoder(
                    container, stream, output, limits, channels=_apart(stream, options), clock=clock
                )
                for stream in streams
            },
        )
    output.send(End())


def _apart(stream: AudioStream, options: DecodeOptions) -> int:
    """Return how many channels of a track are kept apart; 0: they are mixed."""
    return min(max(1, stream.codec_context.channels), MAX_CHANNELS) if options.separate_channels else 0


def _open(source: InputFile, input_format: str) -> InputContainer:
    raw = raw_format(input_format) if input_format else None
    options = {"protocol_whitelist": "", "codec_whitelist": ",".join(audio_decoders())}
    with av.logging.Capture() as complaints:
        try:
            container: InputContainer = av.open(
                source,
                "r",
                format=raw.demuxer if raw else None,
                options=options | raw.options if raw else options,
                metadata_errors="replace",
                buffer_size=READ_BYTES,
                io_open=_refuse_to_open,
            )
        except NamesOtherFiles as error:
            raise refused(Reason.PLAYLIST) from error
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            # Some are refused before any open is tried; then only the log message or the first line identifies the
            # format.
            is_playlist = source.beginning.startswith(M3U) or any(name in PLAYLISTS for _, name, _ in complaints)
            raise refused(Reason.PLAYLIST if is_playlist else Reason.UNREADABLE, error.strerror) from error
    if container.format.name in PLAYLISTS:
        raise refused(Reason.PLAYLIST)
    return container


def audio_decoders() -> list[str]:
    """Return FFmpeg's audio decoders. Untrusted pictures are never decoded."""
    found = []
    for name in sorted(av.codecs_available):
        try:
            codec = av.Codec(name, "r")
        except av.codec.codec.UnknownCodecError:
            continue
        if codec.type == "audio":
            found.append(name)
    return found


def _refuse_to_open(url: str, flags: int, options: dict[str, str]) -> None:
    raise NamesOtherFiles


def _selected(container: InputContainer, options: DecodeOptions) -> list[AudioStream]:
    """Return the tracks to decode, the default or wanted one first. Raises TrackRefused."""
    first = _chosen(container) if options.track is None else _numbered(container, options.track)
    require_bounds(first.codec_context.sample_rate, first.codec_context.channels)
    others = [stream for stream in container.streams.audio if stream is not first and _is_decodable(stream)]
    if options.tracks is TrackChoice.ALL:
        return [first, *others]
    if options.tracks is TrackChoice.SPOKEN:
        return [first, *(stream for stream in others if _is_alongside(stream, first))]
    return [first]


def _numbered(container: InputContainer, number: int) -> AudioStream:
    """Return a track by its number from 1."""
    tracks = container.streams.audio
    if number > len(tracks):
        raise refused(Reason.NO_TRACK, number)
    if tracks[number - 1].codec_context is None:
        raise refused(Reason.UNREADABLE)
    return tracks[number - 1]


def _is_decodable(stream: AudioStream) -> bool:
    if stream.codec_context is None:
        return False
    try:
        require_bounds(stream.codec_context.sample_rate, stream.codec_context.channels)
    except TrackRefused:
        return False
    return True


OTHER_VERSIONS = (
    Disposition.dub
    | Disposition.comment
    | Disposition.lyrics
    | Disposition.karaoke
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.clean_effects
    | Disposition.descriptions
)
"""Tracks that are chosen instead of the main one, not heard with it."""


def _is_alongside(stream: AudioStream, first: AudioStream) -> bool:
    """Return whether a track belongs to the same conversation as `first`, instead of being another version of it."""
    spoken, language = stream.metadata.get("language", "und"), first.metadata.get("language", "und")
    is_translated = spoken != language and "und" not in (spoken, language)
    return not is_translated and not stream.disposition & OTHER_VERSIONS


def _chosen(container: InputContainer) -> AudioStream:
    """Return the default track as FFmpeg selects it, else the first readable one."""
    readable = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio")
    if best in readable:
        return best
    if not readable:
        raise refused(Reason.UNREADABLE)
    return readable[0]


def _header(container: InputContainer, streams: list[AudioStream]) -> Header:
    tracks = tuple(_track(index, stream) for index, stream in enumerate(container.streams.audio))
    duration_s = container.duration / av.time_base if container.duration else None
    indexes = tuple(container.streams.audio.index(stream) for stream in streams)
    return Header(container.format.name, duration_s, tracks, indexes[0], indexes)


def _track(index: int, stream: AudioStream) -> Track:
    context = stream.codec_context
    return Track(
        index=index,
        codec=context.name if context else "",
        rate=context.sample_rate if context else 0,
        channels=context.channels if context else 0,
        language=word(stream.metadata.get("language", "")),
        title=word(stream.metadata.get("title", "")),
        is_default=bool(stream.disposition & Disposition.default),
        start_s=in_seconds(stream.start_time, stream),
    )
