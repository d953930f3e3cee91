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

from inference.media.protocol import (
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
from inference.media.sandbox import Limits
from inference.media.track import TrackDecoder, in_seconds, refused, require_bounds

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


def decode(source: InputFile, output: Output, limits: Limits) -> None:
    """Send all audio that can be decoded. Raises Refused, and MemoryError beyond the limit."""
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with _open(source) as container:
        tracks = container.streams.audio
        if not tracks:
            raise refused(Reason.NO_SOUND)
        if len(tracks) > MAX_TRACKS:
            raise refused(Reason.TRACKS, len(tracks))
        stream = _chosen(container)
        require_bounds(stream.codec_context.sample_rate, stream.codec_context.channels)
        for other in container.streams:
            other.discard = Discard.default if other is stream else Discard.all
        output.send(_header(container, stream))
        TrackDecoder(container, stream, output, limits).run()
    output.send(End())


def _open(source: InputFile) -> InputContainer:
    options = {"protocol_whitelist": "", "codec_whitelist": ",".join(audio_decoders())}
    with av.logging.Capture() as complaints:
        try:
            container: InputContainer = av.open(
                source,
                "r",
                options=options,
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


def _chosen(container: InputContainer) -> AudioStream:
    """Return the default track as FFmpeg selects it, else the first readable one."""
    readable = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio")
    if best in readable:
        return best
    if not readable:
        raise refused(Reason.UNREADABLE)
    return readable[0]


def _header(container: InputContainer, chosen: AudioStream) -> Header:
    tracks = tuple(_track(index, stream) for index, stream in enumerate(container.streams.audio))
    duration_s = container.duration / av.time_base if container.duration else None
    return Header(container.format.name, duration_s, tracks, container.streams.audio.index(chosen))


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
