from __future__ import annotations

import contextlib
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.media.protocol import (
    HEAD,
    MAX_PAYLOAD,
    PREAMBLE,
    Alive,
    Damage,
    End,
    Failure,
    Gap,
    Header,
    MediaMessage,
    ProtocolError,
    Reason,
    RecordKind,
    Samples,
    Track,
    decode,
    encode,
    preamble,
    word,
)

HEADER = Header("mov,mp4", 22.8, (Track(0, "aac", 16_000, 2, "por", "Sala", True, 0.5), Track(1, "opus", 0, 0)), 1)


def read_all(content: bytes) -> list[MediaMessage]:
    """The messages of a stream; EOFError where it ends too early."""
    stream = io.BytesIO(content)

    def read(size: int) -> bytes:
        part = stream.read(size)
        if len(part) < size:
            raise EOFError
        return part

    return list(decode(read))


def record(kind: int, payload: bytes = b"", *, track: int = 0, length: int | None = None) -> bytes:
    return preamble() + HEAD.pack(kind, track, 0, len(payload) if length is None else length, 0.0) + payload


@pytest.mark.parametrize(
    "message",
    [
        HEADER,
        replace(HEADER, duration_s=None),
        Gap(3, 1.5, 10.0),
        Damage(0, 7.5, 0.25),
        Alive(),
    ],
)
@pytest.mark.parametrize("last", [End(), Failure(Reason.SAMPLE_RATE, "1")])
def test_what_is_written_is_read(message: MediaMessage, last: MediaMessage) -> None:
    assert read_all(preamble() + encode(message) + encode(last)) == [message, last]


def test_samples_are_read_with_their_track_and_time() -> None:
    sound = np.linspace(-1, 1, 1_000, dtype=np.float32)
    heard, _ = read_all(preamble() + encode(Samples(2, 12.5, sound)) + encode(End()))
    assert isinstance(heard, Samples)
    assert (heard.track, heard.time_s, heard.samples.dtype) == (2, 12.5, np.float32)
    np.testing.assert_array_equal(heard.samples, sound)


def test_numbers_that_are_none_become_sound() -> None:
    sound = np.array([math.nan, math.inf, -math.inf, 0.5], np.float32)
    heard, _ = read_all(preamble() + encode(Samples(0, 0.0, sound)) + encode(End()))
    assert isinstance(heard, Samples)
    assert heard.samples.tolist() == [0.0, 1.0, -1.0, 0.5]


def test_nothing_is_read_after_the_end() -> None:
    assert read_all(preamble() + encode(End()) + b"more") == [End()]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    with pytest.raises(EOFError):
        read_all(preamble() + encode(Alive()))


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF\x01\x00\x00\x00",
        PREAMBLE.pack(b"PLMD", 2),
        record(0),
        record(99),
        record(RecordKind.SAMPLES, length=MAX_PAYLOAD + 1),
        record(RecordKind.SAMPLES, b"123"),
        record(RecordKind.SAMPLES),
        record(RecordKind.SAMPLES, bytes(4), track=16),
        record(RecordKind.DAMAGE, bytes(4)),
        record(RecordKind.DAMAGE, np.float64(-1).tobytes()),
        record(RecordKind.GAP, np.float64(math.nan).tobytes()),
        record(RecordKind.END, b"x"),
        record(RecordKind.HEADER, b"{"),
        record(RecordKind.HEADER, b"[" * 100_000),
        record(RecordKind.HEADER, b"[]"),
        record(RecordKind.HEADER, b"{}"),
        record(RecordKind.HEADER, json.dumps({"format": "x", "duration_s": "y", "tracks": [], "chosen": 0}).encode()),
        record(RecordKind.HEADER, json.dumps({"format": "x", "duration_s": 1, "tracks": [], "chosen": 0}).encode()),
        record(RecordKind.HEADER, json.dumps({"format": "x", "duration_s": 1, "tracks": [1], "chosen": 0}).encode()),
        record(RecordKind.FAILURE, b'{"reason": "hungry", "detail": ""}'),
        record(RecordKind.FAILURE, b"{}"),
    ],
)
def test_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_all(content)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with contextlib.suppress(ProtocolError, EOFError):
        read_all(preamble() + content)


def test_words_of_a_file_are_short_and_printable() -> None:
    assert word("Sala\x00\x1b[2J \u202e1") == "Sala[2J 1"
    assert len(word("x" * 1_000)) == 200
