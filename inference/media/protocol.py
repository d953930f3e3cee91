"""The decoder child's output format: what it reports of a file on its standard output.

The stream is a preamble followed by records. The preamble is `PREAMBLE`: the four bytes `PLMD`, the version as an
unsigned 16-bit number, and two zero bytes. A record is `HEAD`, 16 bytes, followed by its payload. All numbers are
little-endian:

| bytes | |
|---|---|
| 0 | kind, a `RecordKind` |
| 1 | track: the index of the audio track within the file |
| 2 | channel, if the channels are kept apart; else zero |
| 3 | zero |
| 4–7 | length of the payload, at most `MAX_PAYLOAD` |
| 8–15 | time in seconds on the file's own clock, as a float; NaN if unknown |

| kind | payload |
|---|---|
| `HEADER`, once and first | JSON, the fields of `Header` |
| `SAMPLES` | float32, mono, at `RATE`; the time is that of the first sample |
| `GAP` | a float64: seconds from the time on in which the track has no audio, without any damage |
| `DAMAGE` | a float64: seconds from the time on that cannot be read |
| `ALIVE` | empty: nothing was decoded for a while, and the file is still being read |
| `END` | empty: the file was decoded to its end |
| `FAILURE` | JSON, the fields of `Failure` |

Nothing follows `END` or `FAILURE`. The reader validates everything, because a malicious file may have taken over the
decoder. A later version adds kinds and fields; a reader refuses a preamble with another version.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np

PROTOCOL_VERSION = 1
PREAMBLE = struct.Struct("<4sHxx")
PROTOCOL_MAGIC = b"PLMD"
HEAD = struct.Struct("<BBBxId")
SECONDS = struct.Struct("<d")

RATE = 16_000
"""Samples per second of every track; Whisper and Silero were trained on this rate."""

MAX_TRACKS = 16
MAX_CHANNELS = 8
MAX_PAYLOAD = 1 << 20
"""Bytes; sixteen seconds of samples."""

MAX_WORD = 200
"""Maximum characters of a title or another string from the file."""


class RecordKind(IntEnum):
    """Kind of a record."""

    HEADER = 1
    SAMPLES = 2
    GAP = 3
    DAMAGE = 4
    ALIVE = 5
    END = 6
    FAILURE = 7


class Reason(StrEnum):
    """Why decoding was refused or stopped. The child reports the first nine; the parent detects the others."""

    UNREADABLE = "unreadable"
    NO_SOUND = "no_sound"
    PLAYLIST = "playlist"
    SAMPLE_RATE = "sample_rate"
    CHANNELS = "channels"
    TRACKS = "tracks"
    NO_TRACK = "no_track"
    NO_HEADER = "no_header"
    TOO_LONG = "too_long"
    MEMORY = "memory"
    CRASHED = "crashed"
    HUNG = "hung"
    TIME = "time"


class ProtocolError(ValueError):
    """The bytes are not a record of this version."""


@dataclass(frozen=True, slots=True)
class Track:
    """One audio track of a file."""

    index: int
    """Index among the audio tracks, from 0."""
    codec: str
    rate: int
    channels: int
    language: str = ""
    title: str = ""
    is_default: bool = False
    start_s: float | None = None
    """On the file's clock; None if unknown."""


@dataclass(frozen=True, slots=True)
class Header:
    """The container's metadata."""

    format: str
    duration_s: float | None
    """None if the container does not say."""
    tracks: tuple[Track, ...]
    chosen: int
    """Index of the default track among them, or of the one that was asked for."""
    decoded: tuple[int, ...] = ()
    """Indexes of the tracks that are decoded; empty: only the chosen one."""

    @property
    def sources(self) -> tuple[int, ...]:
        """Indexes of the tracks that are decoded."""
        return self.decoded or (self.chosen,)


@dataclass(frozen=True, slots=True)
class Samples:
    """Audio of one track: float32 in [-1, 1] at RATE, shape (n,)."""

    track: int
    time_s: float
    samples: np.ndarray
    channel: int = 0
    """If the channels are kept apart."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The track has no audio for this period, according to its timestamps. Nothing is wrong."""

    track: int
    time_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Damage:
    """Audio that should be there cannot be read."""

    track: int
    time_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Alive:
    """The file is still being read, although nothing was decoded for a while."""


@dataclass(frozen=True, slots=True)
class End:
    """The file was decoded to its end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Decoding stopped."""

    reason: Reason
    detail: str = ""


def too_long(longest_s: float) -> Failure:
    """Return the failure for a file with more audio than allowed."""
    return Failure(Reason.TOO_LONG, f"{longest_s / 3600:g}")


MediaMessage = Header | Samples | Gap | Damage | Alive | End | Failure


def preamble() -> bytes:
    """Return the first bytes of the stream."""
    return PREAMBLE.pack(PROTOCOL_MAGIC, PROTOCOL_VERSION)


def encode(message: MediaMessage) -> bytes:
    """Return the record for a message."""
    match message:
        case Header():
            return _record(RecordKind.HEADER, _json(asdict(message)))
        case Samples(track, time_s, samples, channel):
            return _record(RecordKind.SAMPLES, samples.astype("<f4").tobytes(), track, time_s, channel)
        case Gap(track, time_s, seconds):
            return _record(RecordKind.GAP, SECONDS.pack(seconds), track, time_s)
        case Damage(track, time_s, seconds):
            return _record(RecordKind.DAMAGE, SECONDS.pack(seconds), track, time_s)
        case Alive():
            return _record(RecordKind.ALIVE)
        case End():
            return _record(RecordKind.END)
        case Failure():
            return _record(RecordKind.FAILURE, _json(asdict(message)))


def decode(read: Callable[[int], bytes]) -> Iterator[MediaMessage]:
    """Yield the messages of a stream up to the final one; `read` returns exactly as many bytes as requested.

    Raises ProtocolError for an invalid record, and what `read` raises.
    """
    magic, version = PREAMBLE.unpack(read(PREAMBLE.size))
    if (magic, version) != (PROTOCOL_MAGIC, PROTOCOL_VERSION):
        raise ProtocolError(f"a stream begins with {magic!r}, version {version}")
    is_over = False
    while not is_over:
        kind, track, channel, length, time_s = HEAD.unpack(read(HEAD.size))
        if length > MAX_PAYLOAD or track >= MAX_TRACKS or channel >= MAX_CHANNELS:
            raise ProtocolError(f"a record of kind {kind} has {length} bytes and track {track}")
        message = _message(kind, track, channel, time_s, read(length))
        yield message
        is_over = isinstance(message, End | Failure)


def word(value: object) -> str:
    """Return a string from the file, shortened and printable."""
    return "".join(character for character in str(value) if character.isprintable())[:MAX_WORD]


def _record(
    kind: RecordKind, payload: bytes = b"", track: int = 0, time_s: float = math.nan, channel: int = 0
) -> bytes:
    return HEAD.pack(kind, track, channel, len(payload), time_s) + payload


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")


def _message(kind: int, track: int, channel: int, time_s: float, payload: bytes) -> MediaMessage:
    match kind:
        case RecordKind.HEADER:
            return _header(_fields(payload))
        case RecordKind.SAMPLES if payload and len(payload) % 4 == 0:
            return Samples(track, time_s, _sound(payload), channel)
        case RecordKind.GAP if len(payload) == SECONDS.size:
            return Gap(track, time_s, _seconds(payload))
        case RecordKind.DAMAGE if len(payload) == SECONDS.size:
            return Damage(track, time_s, _seconds(payload))
        case RecordKind.ALIVE if not payload:
            return Alive()
        case RecordKind.END if not payload:
            return End()
        case RecordKind.FAILURE:
            return _failure(_fields(payload))
    raise ProtocolError(f"a record has kind {kind} and {len(payload)} bytes")


def _sound(payload: bytes) -> np.ndarray:
    """Decode samples. Float files may hold any value, so NaN becomes silence and the rest is clipped to [-1, 1]."""
    samples = np.nan_to_num(np.frombuffer(payload, "<f4"), nan=0.0, posinf=1.0, neginf=-1.0)
    return samples.astype(np.float32, copy=False)


def _seconds(payload: bytes) -> float:
    (seconds,) = SECONDS.unpack(payload)
    if not 0 <= seconds < math.inf:
        raise ProtocolError(f"a record says {seconds} seconds")
    return float(seconds)


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a record holds no JSON") from error
    if not isinstance(fields, dict):
        raise ProtocolError("a record holds no JSON object")
    return fields


def _header(fields: dict[str, Any]) -> Header:
    try:
        tracks = tuple(_track(track) for track in fields["tracks"][:MAX_TRACKS])
        duration_s = _optional(fields["duration_s"])
        decoded = tuple(int(index) for index in fields.get("decoded", ())[:MAX_TRACKS])
        header = Header(word(fields["format"]), duration_s, tracks, int(fields["chosen"]), decoded)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError("a header lacks something") from error
    if not {header.chosen, *header.decoded} <= {track.index for track in header.tracks}:
        raise ProtocolError(f"a header chooses track {header.chosen}, which is not there")
    return header


def _track(fields: dict[str, Any]) -> Track:
    return Track(
        index=int(fields["index"]),
        codec=word(fields["codec"]),
        rate=int(fields["rate"]),
        channels=int(fields["channels"]),
        language=word(fields["language"]),
        title=word(fields["title"]),
        is_default=bool(fields["is_default"]),
        start_s=_optional(fields["start_s"]),
    )


def _optional(value: Any) -> float | None:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def _failure(fields: dict[str, Any]) -> Failure:
    try:
        return Failure(Reason(fields["reason"]), word(fields["detail"]))
    except (KeyError, ValueError, TypeError) as error:
        raise ProtocolError("a failure lacks its reason") from error
