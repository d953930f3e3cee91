"""Where webhooks may go, and how long an exchange may take, against real sockets, slow ones and with TLS."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from meetings import safe_http
from meetings.safe_http import ForbiddenAddress, NotReached, check_address, is_public, post

PUBLIC, ALSO_PUBLIC = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https:///path",
        "https://user:secret@example.org/",
        "https://@example.org:443@localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://[fe80::1%25eth0]/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://example.org:0/",
        "https://example.org:22/",
        "https://example.org:25/",
        "https://example.org:6379/",
        "https://example.org:99999/",
        "https://example.org:-1/",
        "https://example.org:8443x/",
        f"https://{61 * 'ü'}.com/",
        f"https://{64 * 'a'}.com/",
        f"https://{'a.' * 127}com/",
        "https://a..b/",
        "https://-a.org/",
        "https://a b.org/",
        "https://%41.org/",
        "https://[::1/",
        "https://xn--a-ecp.ru/",
        "https://localhost/",
        "https://db.localhost./",
        "",
    ],
)
def test_addresses_that_nobody_may_have_us_call(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(url, is_private_allowed=False)


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("https://hooks.example.org/x?y=1", "https://hooks.example.org/x?y=1"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("https://example.org/olá", "https://example.org/ol%C3%A1"),
        ("https://exämple.org/a%20b", "https://xn--exmple-cua.org/a%20b"),
        ("https://example.org./", "https://example.org./"),
        (f"https://{PUBLIC}/", f"https://{PUBLIC}/"),
        (f"https://[{ALSO_PUBLIC}]/", f"https://[{ALSO_PUBLIC}]/"),
    ],
)
def test_addresses_are_called_in_ascii(url: str, called: str) -> None:
    assert str(check_address(url, is_private_allowed=False)) == called


@given(st.text(max_size=60), st.booleans())
def test_no_text_is_worse_than_forbidden(text: str, is_private_allowed: bool) -> None:
    for url in (text, f"https://{text}", f"https://a.org:{text}", f"https://a.org/{text}"):
        try:
            check_address(url, is_private_allowed=is_private_allowed)
        except ForbiddenAddress:
            continue


@pytest.mark.parametrize("port", [1, 22, 443, 65_535])
def test_an_operator_may_allow_any_port_within(port: int) -> None:
    assert check_address(f"http://10.0.0.7:{port}/", is_private_allowed=True).port in (port, None)
    with pytest.raises(ForbiddenAddress):
        check_address(f"http://10.0.0.7:{port + 65_535}/", is_private_allowed=True)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),  # noqa: S104
        *("192.168.1.1", "192.0.0.9", "192.0.2.1", "192.88.99.0", "192.88.99.255", "198.18.0.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::5db8:d822", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:1::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::"),
        *("2002:a01:203::", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0"),
        *("fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    ],
)
def test_what_is_within_or_nobodys_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, ALSO_PUBLIC, f"::ffff:{PUBLIC}", "64:ff9b::5db8:d822", "2002:5db8:d822::1", "1.1.1.1"]
)
def test_what_hosts_of_the_internet_have_is_public(address: str) -> None:
    assert is_public(address)


def names(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """Every name leads to these addresses."""

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(safe_http.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("found", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fec0::1", "64:ff9b::7f00:1"])
async def test_a_name_that_leads_within_is_not_followed(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    async def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be connected to")

    names(monkeypatch, PUBLIC, found)
    monkeypatch.setattr("anyio.connect_tcp", connect)
    with pytest.raises(ForbiddenAddress):
        await post("https://rebinding.example/", b"{}", {}, is_private_allowed=False)


@contextmanager
def served(serve: Callable[[socket.socket], None], *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port on this machine; each connection is given to `serve` in a thread, and closed after it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as ready:
                serve(ready)
        except OSError:
            return  # the other end was quicker

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def read_request(connection: socket.socket) -> bytes:
    """All of it: a server that hangs up on what it has not read resets the connection."""
    received = b""
    while not received.endswith(b"{}"):
        received += connection.recv(65_536)
    return received


def dribble(text: bytes, *, after: bytes = b"") -> Callable[[socket.socket], None]:
    """Sends a byte each 50 ms, and begins anew at the end: no single wait is long."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(after)
        while True:
            for byte in text:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    return serve


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


@pytest.mark.parametrize(
    "serve",
    [
        dribble(b"HTTP/1.1 100 Continue\r\n\r\n"),
        dribble(b"X-Header: a\r\n", after=b"HTTP/1.1 200 OK\r\n"),
        say_nothing,
    ],
    ids=["continues", "headers", "silence"],
)
async def test_an_exchange_has_one_deadline(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    monkeypatch.setattr(safe_http, "DEADLINE_S", 0.5)
    with served(serve) as port:
        began = time.monotonic()
        with pytest.raises(NotReached, match=r"There was no answer within 0\.5 s"):
            await post(f"http://127.0.0.1:{port}/", b"{}", {}, is_private_allowed=True)
        assert time.monotonic() - began < 5


async def test_the_deadline_holds_for_tls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_http, "DEADLINE_S", 0.5)
    with served(say_nothing) as port, pytest.raises(NotReached, match=r"There was no answer within 0\.5 s"):
        await post(f"https://127.0.0.1:{port}/", b"{}", {}, is_private_allowed=True)


async def test_a_name_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_http, "DEADLINE_S", 0.3)
    answered = threading.Event()
    monkeypatch.setattr(safe_http.socket, "getaddrinfo", lambda *_, **__: answered.wait(60))
    with pytest.raises(NotReached, match=r"There was no answer within 0\.3 s"):
        await post("https://slow.example/", b"{}", {}, is_private_allowed=False)
    answered.set()


async def test_a_body_without_end_is_not_read() -> None:
    sent: list[int] = []

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(1_000):
            sent.append(connection.send(b"10000\r\n" + 65_536 * b"x" + b"\r\n"))

    with served(serve) as port:
        assert await post(f"http://127.0.0.1:{port}/", b"{}", {}, is_private_allowed=True) == 200
    assert len(sent) < 200, "it hung up"


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n" + 200_000 * b"x", b""])
async def test_what_is_no_http_is_not_reached(answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with served(serve) as port, pytest.raises(NotReached):
        await post(f"http://127.0.0.1:{port}/", b"{}", {}, is_private_allowed=True)


async def test_where_nobody_listens_it_is_said() -> None:
    with served(say_nothing) as port:
        pass
    with pytest.raises(NotReached):
        await post(f"http://127.0.0.1:{port}/", b"{}", {}, is_private_allowed=True)


async def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with served(serve) as port:
        names(monkeypatch, "127.0.0.2", "127.0.0.1")
        assert await post(f"http://two.example:{port}/", b"{}", {}, is_private_allowed=True) == 204
    assert f"Host: two.example:{port}".encode() in received[0]


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate for hooks.example, which ours trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(safe_http, "tls_context", lambda: trusting)
    return context


async def test_tls_speaks_of_the_name_and_connects_to_the_address(
    certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    certified.sni_callback = lambda _, name, __: asked.append(name)

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    names(monkeypatch, "127.0.0.1")
    with served(serve, tls=certified) as port:
        assert await post(f"https://hooks.example:{port}/", b"{}", {}, is_private_allowed=True) == 204
        with pytest.raises(NotReached, match="certificate"):
            await post(f"https://other.example:{port}/", b"{}", {}, is_private_allowed=True)
    assert asked == ["hooks.example", "other.example"]
