"""A WebSocket client that does only what it is told: it can leave its socket unread, and send after a close."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import struct
from typing import Any, Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
FINAL_FRAGMENT = 0x80
MASKED = 0x80
TIMEOUT_S = 30.0


def client_frame(payload: bytes, opcode: int, *, final: bool = True) -> bytes:
    """One frame as clients send it (RFC 6455, 5.2), masked with zeros: the payload stays as it is."""
    first = (FINAL_FRAGMENT if final else 0) | opcode
    return client_header(first, len(payload)) + payload


def client_header(first: int, length: int) -> bytes:
    """The header of a frame with `length` bytes of payload, whether or not they will follow."""
    if length < 126:
        head = struct.pack(">BB", first, MASKED | length)
    elif length < 65_536:
        head = struct.pack(">BBH", first, MASKED | 126, length)
    else:
        head = struct.pack(">BBQ", first, MASKED | 127, length)
    return head + bytes(4)


class RawWebSocket:
    """Blocking; reads nothing until asked to, so that what the server sends stays where it is."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect((address.hostname, address.port))
        self._received = b""
        self._shake_hands(f"{address.path}?{address.query}", f"{address.hostname}:{address.port}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, payload: bytes, opcode: int = BINARY, *, final: bool = True) -> None:
        self.send_bytes(client_frame(payload, opcode, final=final))

    def send_json(self, message: dict[str, Any]) -> None:
        self.send(json.dumps(message).encode(), TEXT)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload. Raises ConnectionError when the server has hung up."""
        first, length = self._exactly(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        return first & 0x0F, self._exactly(length)

    def receive_json(self) -> dict[str, Any]:
        """The next text message. Raises ConnectionError when the server closes instead."""
        message = self.receive_json_or_close()
        if message.get("type") == "close":
            raise ConnectionError(f"closed with {message['code']}")
        return message

    def receive_json_or_close(self) -> dict[str, Any]:
        """The next text message, or the close frame as `{"type": "close", "code": …}`; pings are passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return {"type": "close", "code": struct.unpack(">H", payload[:2])[0]}
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                return message

    def close_code(self) -> int:
        """Reads on until the server's close frame; returns its code."""
        while (message := self.receive_json_or_close())["type"] != "close":
            pass
        return int(message["code"])

    def _shake_hands(self, path: str, host: str) -> None:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        self.send_bytes(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode("latin-1"))

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            # As little as is needed: what is not read yet stays in the kernel, and in the server.
            data = self._socket.recv(size - len(self._received))
            if not data:
                raise ConnectionError("the server has hung up")
            self._received += data
        data, self._received = self._received[:size], self._received[size:]
        return data
