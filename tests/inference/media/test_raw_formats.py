from __future__ import annotations

import pytest

from inference.media.raw_formats import ENDINGS, RawFormat, UnknownInputFormat, format_by_name, raw_format


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mulaw", RawFormat("mulaw", 8_000)), ("alaw@16000", RawFormat("alaw", 16_000)), ("GSM", RawFormat("gsm", 8_000)),
     ("g722", RawFormat("g722", 16_000)), ("s16le@44100/2", RawFormat("s16le", 44_100, 2))],
)  # fmt: skip
def test_formats_that_are_known(text: str, expected: RawFormat) -> None:
    assert raw_format(text) == expected


@pytest.mark.parametrize(
    "text", ["", "mp3", "s16le@1", "s16le@16000/9", "gsm@16000", "concat", "mulaw@8000,x=1", "s16le@99999999999"]
)
def test_formats_that_are_not(text: str) -> None:
    with pytest.raises(UnknownInputFormat, match="is no format of recordings without a header; use mulaw, alaw"):
        raw_format(text)


def test_every_ending_names_a_format() -> None:
    assert all(raw_format(text) for text in ENDINGS.values())


@pytest.mark.parametrize(
    ("name", "beginning", "expected"),
    [("call.ulaw", b"\xff\x7f", "mulaw"), ("CALL.SLN16", b"\0\0", "s16le@16000"), ("call.gsm", b"RIFF....", ""),
     ("call.al", b"\0\0\0\x1cftypM4A ", ""), ("call.mp3", b"\xff\xfb", ""), ("ulaw", b"", "")],
)  # fmt: skip
def test_what_a_name_says(name: str, beginning: bytes, expected: str) -> None:
    assert format_by_name(name, beginning) == expected
