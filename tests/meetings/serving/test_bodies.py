"""Bodies that are too long are hung up on, by the real server, before they are read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from meetings.programs.bearer import new_token
from meetings.serving.bodies import MAX_BODY, MAX_RECORDING_BODY, RECORDINGS, limit
from tests.meetings.serving.test_server import SERVERS, GatedServer, gated_server

pytestmark = pytest.mark.xdist_group("processes")


def test_only_who_holds_a_token_may_send_a_recording() -> None:
    bearer = f"Bearer {new_token()}"
    assert limit(RECORDINGS, bearer) == MAX_RECORDING_BODY
    assert limit(RECORDINGS + b"?x=1", bearer) == MAX_RECORDING_BODY
    assert limit(RECORDINGS, "") == MAX_BODY
    assert limit(RECORDINGS, bearer[:-1]) == MAX_BODY
    assert limit(b"/login/", bearer) == MAX_BODY
    assert limit(b"/m/x/v1/audio/transcriptions", bearer) == MAX_BODY


def answer(server: GatedServer, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        return connection.recv(1_000)


def post(server: GatedServer, body: bytes, *, is_chunked: bool = False) -> tuple[int, str]:
    content = iter([body[:1_000], body[1_000:]]) if is_chunked else body
    answer = httpx.post(f"http://127.0.0.1:{server.port}/login/", content=content, timeout=30)
    return answer.status_code, answer.text


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[GatedServer]:
    with gated_server(request.param) as running:
        yield running


def test_what_is_short_enough_arrives_whole(server: GatedServer) -> None:
    for size in (0, 5_000, MAX_BODY):
        assert post(server, b"x" * size) == (200, str(size))
    assert post(server, b"x" * MAX_BODY, is_chunked=True) == (200, str(MAX_BODY))


def test_a_body_that_is_too_long_is_refused(server: GatedServer) -> None:
    head = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    announced = b"%sContent-Length: %d\r\n\r\n" % (head, MAX_BODY + 1)
    assert is_refusal(answer(server, announced))
    chunk = b"%x\r\n%s\r\n" % (MAX_BODY + 1, b"x" * (MAX_BODY + 1))
    assert is_refusal(answer(server, head + b"Transfer-Encoding: chunked\r\n\r\n", chunk))
    recording = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (RECORDINGS, MAX_BODY + 1)
    assert is_refusal(answer(server, recording))


def is_refusal(answer: bytes) -> bool:
    status, *headers = answer.lower().split(b"\r\n")
    return status.startswith(b"http/1.1 413") and {b"connection: close", b"content-length: 0"} <= set(headers)
