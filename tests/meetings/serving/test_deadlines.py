"""Bytes sent now and then put nothing off, held against the real servers with bounds of a second."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.meetings.serving.test_server import SERVERS, TIMEOUT_S, GatedServer, gated_server

pytestmark = pytest.mark.xdist_group("servers")

BOUND_S = 1.0
EACH_S = 0.1
"""Between two bytes."""

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[GatedServer]:
    with gated_server(request.param, f"seconds={BOUND_S}") as running:
        yield running


def connected(server: GatedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S)


def hangs_up_after(connection: socket.socket, trickle: bytes) -> float:
    """Seconds until the server hangs up, while a byte of `trickle` is sent now and then."""
    began = time.monotonic()
    connection.settimeout(EACH_S)
    while time.monotonic() - began < TIMEOUT_S:
        try:
            if not connection.recv(65_536):
                return time.monotonic() - began
        except TimeoutError:
            pass
        except ConnectionError:
            return time.monotonic() - began
        try:
            connection.sendall(trickle)
        except ConnectionError:
            return time.monotonic() - began
    raise AssertionError("the server waits for ever")


@pytest.mark.parametrize(
    ("sent", "trickle"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"x"),
        (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
        (BODY, b"x"),
        (WHOLE, b""),
        (WHOLE + b"GET /", b"x"),
    ],
    ids=["nothing", "a line by bytes", "a head by lines", "a body by bytes", "no second request", "half a second one"],
)
def test_who_takes_too_long_is_hung_up_on(server: GatedServer, sent: bytes, trickle: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        assert BOUND_S / 2 < hangs_up_after(connection, trickle) < 20 * BOUND_S


def test_a_body_that_comes_fast_enough_may_take_longer(server: GatedServer) -> None:
    with connected(server) as connection:
        connection.sendall(BODY)
        for _ in range(25):
            time.sleep(EACH_S)  # twice the bound in all: the pace is what is tested
            connection.sendall(bytes(2_000))
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_takes_is_given_up(server: GatedServer) -> None:
    with connected(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        until = time.monotonic() + TIMEOUT_S
        while server.process.net_connections(kind="tcp") and time.monotonic() < until:
            if all(found.status != "ESTABLISHED" for found in server.process.net_connections(kind="tcp")):
                return
            time.sleep(EACH_S)
    raise AssertionError("the server waits for ever")


def test_who_waits_for_an_answer_may_be_silent(server: GatedServer) -> None:
    """A request that is whole has no deadline of the server's: pages may take their time."""
    with connected(server) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
