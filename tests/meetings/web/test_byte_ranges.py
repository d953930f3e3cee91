from __future__ import annotations

from pathlib import Path

import pytest
from django.http import HttpResponseBase, StreamingHttpResponse
from hypothesis import given
from hypothesis import strategies as st

from meetings.web.byte_ranges import READ_BLOCK, ByteRange, Unsatisfiable, file_response, parse_range


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-", ByteRange(0, 100)),
        ("bytes=10-19", ByteRange(10, 20)),
        ("bytes=99-99", ByteRange(99, 100)),
        ("bytes=90-500", ByteRange(90, 100)),
        ("bytes=-10", ByteRange(90, 100)),
        ("bytes=-500", ByteRange(0, 100)),
    ],
)
def test_one_range(header: str, wanted: ByteRange) -> None:
    assert parse_range(header, 100) == wanted


@pytest.mark.parametrize("header", ["", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=٣-"])
def test_what_is_no_single_range_is_the_whole_file(header: str) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize("header", [f"bytes={'9' * 5_000}-", f"bytes=0-{'9' * 5_000}", f"bytes=-{'9' * 5_000}"])
def test_a_number_of_any_length_breaks_nothing(header: str) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0)])
def test_nothing_of_it_is_there(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, size)


@given(st.integers(0, 300), st.none() | st.integers(0, 300), st.none() | st.integers(0, 300))
def test_a_range_lies_in_the_file(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        wanted = parse_range(header, size)
    except Unsatisfiable:
        return
    assert wanted is None or 0 <= wanted.first < wanted.end <= size


async def content(response: HttpResponseBase) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join([block async for block in response.streaming_content])  # type: ignore[union-attr]


async def test_parts_make_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    sound = bytes(range(256)) * (READ_BLOCK // 256 * 2 + 1)
    path.write_bytes(sound)
    whole = file_response(path, content_type="audio/flac", range_header="")
    assert (whole.status_code, whole["Content-Length"], whole["Accept-Ranges"]) == (200, str(len(sound)), "bytes")
    assert await content(whole) == sound
    half = len(sound) // 2
    parts = [
        file_response(path, content_type="audio/flac", range_header=wanted)
        for wanted in (f"bytes=0-{half}", f"bytes={half + 1}-")
    ]
    assert [part.status_code for part in parts] == [206, 206]
    assert parts[0]["Content-Range"] == f"bytes 0-{half}/{len(sound)}"
    assert b"".join([await content(part) for part in parts]) == sound
    beyond = file_response(path, content_type="audio/flac", range_header=f"bytes={len(sound)}-")
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(sound)}")
