"""Connections to the public internet alone: a name that leads into our own network is not followed there (SSRF).

The address is looked up once, judged, and connected to, so that a name cannot lead elsewhere the second time.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
MAX_ANSWER = 1_024
"""Bytes that are read of an answer: its status is what counts."""


class ForbiddenAddress(Exception):
    """The address is not one that a stranger may have us call."""


def check_address(url: str, *, is_private_allowed: bool) -> None:
    """Raises ForbiddenAddress for what is wrong in the text of `url` itself; where it leads is judged at each call."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (is_private_allowed and parts.scheme == "http"):
        raise ForbiddenAddress("It must begin with https://.")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ForbiddenAddress("It must name a host, and no user.")
    try:
        ip = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not is_private_allowed and not _is_public(str(ip)):
        raise ForbiddenAddress("It must be a public address.")


def post(url: str, body: bytes, headers: dict[str, str], *, is_private_allowed: bool) -> int:
    """Sends a POST and returns the status of the answer; a redirect is an answer like any other.

    Raises:
        ForbiddenAddress: the host is, or has, an address that is not public.
        OSError, http.client.HTTPException: it cannot be reached, or does not speak HTTP.
    """
    check_address(url, is_private_allowed=is_private_allowed)
    parts = urlsplit(url)
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=TIMEOUT_S)
    connection.sock = _connected(parts.hostname, port, is_safe=parts.scheme == "https", is_private=is_private_allowed)
    try:
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, headers)
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        return answer.status
    finally:
        connection.close()


def _connected(host: str, port: int, *, is_safe: bool, is_private: bool) -> socket.socket:
    address = _look_up(host, port, is_private=is_private)
    plain = socket.create_connection((address, port), timeout=TIMEOUT_S)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_safe else plain


def _look_up(host: str, port: int, *, is_private: bool) -> str:
    """The first address of the host, if all of them are public."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not is_private and not all(map(_is_public, found)):
        raise ForbiddenAddress(f"{host} is not a public address.")
    return found[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or (mapped.is_global and not mapped.is_multicast))
