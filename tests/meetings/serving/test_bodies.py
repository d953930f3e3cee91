"""Bodies that are too long, or that nobody may send, are hung up on by the real servers before they are read."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from django.conf import settings
from django.core.exceptions import RequestAborted

from meetings.accounts.api_gate import MAX_AT_ONCE
from meetings.accounts.bearer import new_token
from meetings.request_limits import MAX_BODY, MAX_RECORDING_BODY
from meetings.serving.bodies import BodyQueue, PagesHandler, body_file, limit
from tests.api_server import ApiServer, api_server
from tests.meetings.serving.test_server import SERVERS, GatedServer, gated_server, open_gate
from tests.memory import Peak

pytestmark = pytest.mark.xdist_group("servers")

RECORDINGS = b"/v1/audio/transcriptions"


def test_only_who_holds_a_token_may_send_a_recording() -> None:
    bearer = f"Bearer {new_token()}"
    assert limit(RECORDINGS, bearer) == MAX_RECORDING_BODY
    assert limit(RECORDINGS + b"?x=1", bearer) == MAX_RECORDING_BODY
    assert limit(RECORDINGS, "") == MAX_BODY
    assert limit(RECORDINGS, bearer[:-1]) == MAX_BODY
    assert limit(b"/v1/audio/translations", bearer) == MAX_RECORDING_BODY
    assert limit(b"/login/", bearer) == MAX_BODY
    assert limit(b"/m/x/v1/audio/transcriptions", bearer) == MAX_BODY
    assert limit(b"/v%31/audio/transcriptions", bearer) == MAX_RECORDING_BODY, "as the page is found by it"


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


class Program:
    """A client that sends a request piece by piece."""

    def __init__(self, server: GatedServer | ApiServer, authorization: str, *, path: bytes = RECORDINGS) -> None:
        self._connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self._head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n" % (path, authorization.encode())

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def announce(self, length: int | None, body: bytes = b"", *, expects: bool = False, form: bytes = b"") -> None:
        """The head, with what is sent of the body at once."""
        if form:
            self._head += b"Content-Type: multipart/form-data; boundary=%s\r\n" % form
        how = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        expect = b"Expect: 100-continue\r\n" if expects else b""
        self.send(self._head + how + b"\r\n" + expect + b"\r\n" + body)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        head = self._until(b"\r\n\r\n").lower()
        status, body = int(head.split()[1]), b""
        if b"transfer-encoding: chunked" in head:
            while length := int(self._until(b"\r\n"), 16):
                body += self._exactly(length + 2)[:-2]
            self._exactly(2)
        elif b"content-length:" in head:
            body = self._exactly(int(head.partition(b"content-length:")[2].split()[0]))
        return status, body

    def is_at_end(self) -> bool:
        return self._connection.recv(1) == b""

    def _until(self, end: bytes) -> bytes:
        received = b""
        while not received.endswith(end):
            received += self._exactly(1)
        return received

    def _exactly(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            data = self._connection.recv(length - len(received))
            if not data:
                raise ConnectionError(received)
            received += data
        return received


def token_of(server: GatedServer) -> str:
    return f"Bearer {httpx.get(f'http://127.0.0.1:{server.port}/token').text}"


def inside(server: GatedServer) -> int:
    """How many requests are through the gate."""
    return int(httpx.get(f"http://127.0.0.1:{server.port}/inside").text.split()[0])


def asked(server: GatedServer) -> int:
    return int(httpx.get(f"http://127.0.0.1:{server.port}/inside").text.split()[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("path", [RECORDINGS, b"/v1/anything", b"/v%31/audio/transcriptions"])
@pytest.mark.parametrize("length", [5, MAX_BODY, None])
def test_a_body_that_nobody_may_send_is_refused_before_it_is_read(
    server: GatedServer, path: bytes, length: int | None
) -> None:
    with Program(server, "Bearer unknown", path=path) as program:
        program.announce(length)
        status, body = program.answer()
        assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")
        assert program.is_at_end()
    assert inside(server) == 0


def test_nobody_is_told_to_go_on_who_may_not(server: GatedServer) -> None:
    for authorization, length in (("Bearer unknown", 5), (token_of(server), MAX_RECORDING_BODY + 1)):
        with Program(server, authorization) as program:
            program.announce(length, expects=True)
            status, _ = program.answer()
            assert status == (401 if length == 5 else 413), "and not 100"
            assert program.is_at_end()


def test_a_page_elsewhere_can_read_why_it_was_refused(server: GatedServer) -> None:
    """Without the header its browser calls a wrong token, or a long recording, a failure of the network."""
    for origin, length in (
        (b"app://obsidian.md", 5),
        (b"app://obsidian.md", MAX_BODY + 1),
        (b"https://evil.example", 5),
    ):
        head = b"POST %s HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nContent-Length: %d\r\n\r\n" % (RECORDINGS, origin, length)
        refusal = answer(server, head).lower()
        assert refusal.startswith(b"http/1.1 401" if length == 5 else b"http/1.1 413")
        is_allowed = b"access-control-allow-origin: app://obsidian.md" in refusal
        assert is_allowed is (origin == b"app://obsidian.md")


def test_who_goes_on_sending_hears_the_refusal(server: GatedServer) -> None:
    """A connection with unread bytes is reset when it is closed, and the answer is lost with it."""
    with Program(server, "Bearer unknown") as program:
        program.announce(MAX_BODY, b"x" * (MAX_BODY // 2))
        program.send(b"x" * (MAX_BODY // 4))
        assert program.answer()[0] == 401


def test_who_may_send_is_told_to_go_on_and_heard(server: GatedServer) -> None:
    token = token_of(server)
    with Program(server, token) as program:
        program.announce(5, expects=True)
        assert program.answer() == (100, b"")
        program.send(b"12345")
        assert program.answer() == (200, b"5")
    with Program(server, token) as program:
        program.announce(5, b"12345")  # head and body at once
        assert program.answer() == (200, b"5")
        program.announce(200_000, b"x" * 100_000)  # and again on the same connection
        program.send(b"x" * 100_000)
        assert program.answer() == (200, b"200000")
        program.announce(None, b"5\r\n12345\r\n0\r\n\r\n")
        assert program.answer() == (200, b"5")
    until(lambda: inside(server) == 0)


def test_a_gate_that_breaks_is_one_requests(server: GatedServer) -> None:
    with Program(server, "Bearer broken") as program:
        program.announce(5, b"12345")
        assert program.answer()[0] == 500
    assert post(server, b"x" * 5) == (200, "5")


def test_who_hangs_up_leaves_his_place(server: GatedServer) -> None:
    with Program(server, token_of(server)) as program:
        program.announce(MAX_BODY, b"x" * 1_000)
        until(lambda: inside(server) == 1)
    until(lambda: inside(server) == 0)
    before = asked(server)
    with Program(server, "Bearer slow") as program:
        program.announce(MAX_BODY, b"x" * 1_000)
        until(lambda: asked(server) == before + 1)
    asyncio.run(open_gate(server))
    assert post(server, b"x" * 5) == (200, "5")
    until(lambda: inside(server) == 0)


def test_a_recording_is_never_held_in_memory(server: GatedServer) -> None:
    """By Daphne it was, all of it, as messages that wait for the application."""
    token, peak = token_of(server), Peak(server.process)
    with Program(server, token) as program:
        program.announce(MAX_RECORDING_BODY)
        for _ in range(100):
            program.send(bytes(MAX_RECORDING_BODY // 100))
        program.send(bytes(MAX_RECORDING_BODY % 100))
        assert program.answer() == (200, str(MAX_RECORDING_BODY).encode())
    assert peak.growth() < 32 << 20


def test_a_body_that_the_disk_does_not_take_is_refused() -> None:
    """Daphne writes it down before anybody asks for it. No file of this process may grow beyond a megabyte."""
    with gated_server("daphne") as server:
        before = server.process.rlimit(psutil.RLIMIT_FSIZE)
        server.process.rlimit(psutil.RLIMIT_FSIZE, (1 << 20, before[1]))
        with Program(server, token_of(server)) as program:
            program.announce(MAX_BODY, bytes(MAX_BODY))
            assert program.answer()[0] == 507
        server.process.rlimit(psutil.RLIMIT_FSIZE, before)
        assert post(server, bytes(MAX_BODY)) == (200, str(MAX_BODY))
        until(lambda: inside(server) == 0)


@pytest.fixture(scope="module", params=SERVERS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("data"), request.param) as running:
        yield running


FORM = (
    b'--end\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\nContent-Type: audio/wav\r\n\r\n',
    b"\r\n--end--\r\n",
)


def test_the_product_asks_for_the_token_first(product: ApiServer) -> None:
    """A token that was revoked was looked up when the 100 MB had come."""
    for token in (product.revoked, new_token(), ""):
        with Program(product, f"Bearer {token}") as program:
            program.announce(1_000_000)
            status, body = program.answer()
            assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")


def test_the_product_keeps_a_recording_out_of_memory_and_out_of_tmp(product: ApiServer) -> None:
    def send(size: int) -> tuple[int, bytes]:
        with Program(product, f"Bearer {product.token}") as program:
            program.announce(size + sum(map(len, FORM)), FORM[0], form=b"end")
            for _ in range(size // 100_000):
                program.send(bytes(100_000))
            elsewhere.extend(path for path in open_files(product) if not path.startswith(str(product.data)))
            program.send(FORM[1])
            return program.answer()

    elsewhere: list[str] = []
    assert send(100_000)[0] == 504, "there is no worker"
    peak = Peak(product.web)
    status, body = send(80_000_000)
    assert (status, json.loads(body)["error"]["code"]) == (504, "timeout")
    assert peak.growth() < 40 << 20
    assert elsewhere == []
    uploads = [path for path in (product.data / "uploads").iterdir() if not path.name.startswith(".announc")]
    assert sorted(path.stat().st_size for path in uploads) == [100_000, 80_000_000], "once each, for ten minutes"
    assert list((product.data / "bodies").iterdir()) == []


def open_files(product: ApiServer) -> list[str]:
    """Those that a body may lie in: they have no names, but a folder. To the first three the process prints."""
    links = [link for link in Path(f"/proc/{product.web.pid}/fd").iterdir() if int(link.name) > 2 and link.is_symlink()]
    return [path for path in map(os.readlink, links) if path.endswith("(deleted)")]


def test_so_many_requests_of_a_user_are_under_way(product: ApiServer) -> None:
    with ExitStack() as sending:
        for _ in range(MAX_AT_ONCE):
            program = sending.enter_context(Program(product, f"Bearer {product.token}"))
            program.announce(MAX_BODY, FORM[0], form=b"end", expects=True)
            assert program.answer() == (100, b"")
        with Program(product, f"Bearer {product.token}") as one_more:
            one_more.announce(MAX_BODY)
            status, body = one_more.answer()
            assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limit_exceeded")
    until(lambda: is_let_in(product))


def is_let_in(product: ApiServer) -> bool:
    with Program(product, f"Bearer {product.token}") as program:
        program.announce(5, expects=True)
        return program.answer()[0] == 100


class TestPages:
    """What Django is given of a body."""

    @pytest.fixture(autouse=True)
    def environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, data=tmp_path))

    async def test_a_file_that_is_there_is_taken_as_it_is(self, tmp_path: Path) -> None:
        for length in (5, 500_000):
            file = body_file(length)
            file.write(bytes(length))
            queue = BodyQueue(file)
            for size in (length - 1, 1):
                queue.put_nowait({"type": "http.request", "body": bytes(size), "more_body": size > 1})
            queue.put_nowait({"type": "http.disconnect"})
            taken = await PagesHandler().read_body(queue.get)
            file.close()  # as Twisted does when the client hangs up
            assert len(taken.read()) == length
            assert await queue.get() == {"type": "http.disconnect"}, "and no message brings it again"
            taken.close()
        assert list((tmp_path / "bodies").iterdir()) == [], "the files have no names"

    async def test_messages_bring_it_where_nobody_takes_the_file(self) -> None:
        file = body_file(6)
        file.write(b"abcdef")
        queue = BodyQueue(file)
        for part in (b"abc", b"def"):
            queue.put_nowait({"type": "http.request", "body": part, "more_body": part == b"abc"})
        assert [(await queue.get())["body"] for _ in range(2)] == [b"abc", b"def"]
        queue.put_nowait({"type": "http.request", "body": b"x", "more_body": False})
        file.close()
        assert await queue.get() == {"type": "http.disconnect"}
        with pytest.raises(RequestAborted):
            queue.take()

    async def test_other_servers_bring_it_in_messages(self) -> None:
        brought = [
            {"type": "http.request", "body": bytes(300_000), "more_body": True},
            {"type": "http.request", "body": b"end"},
        ]

        async def receive() -> dict[str, Any]:
            return brought.pop(0)

        body = await PagesHandler().read_body(receive)
        assert len(body.read()) == 300_003
        brought[:] = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]
        with pytest.raises(RequestAborted):
            await PagesHandler().read_body(receive)
