from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetings.live.errors import SocketFault
from meetings.live.frames import MAX_PCM_BYTES, parse_frame


@given(number=st.integers(0, 2**32 - 1), samples=st.integers(1, MAX_PCM_BYTES // 2))
def test_every_frame_reads_back(number: int, samples: int) -> None:
    frame = parse_frame(struct.pack(">I", number) + b"\x01\x02" * samples)
    assert (frame.number, frame.pcm, frame.seconds) == (number, b"\x01\x02" * samples, samples / 16_000)


@pytest.mark.parametrize(
    ("data", "code", "close_code"),
    [
        (b"", "malformed", 4400),
        (b"\0\0", "malformed", 4400),
        (b"\0\0\0\1", "malformed", 4400),
        (b"\0\0\0\1\7", "malformed", 4400),
        (b"\0\0\0\1" + b"\0" * (MAX_PCM_BYTES + 2), "frame_too_large", 4413),
    ],
)
def test_odd_frames_are_refused(data: bytes, code: str, close_code: int) -> None:
    with pytest.raises(SocketFault) as caught:
        parse_frame(data)
    assert (caught.value.code, caught.value.close_code) == (code, close_code)
