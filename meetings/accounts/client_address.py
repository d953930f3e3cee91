"""The client's address: the peer's, or the one reported by a trusted proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from django.http import HttpRequest


def is_proxy(address: str, proxies: Sequence[str]) -> bool:
    """Return whether `address` lies in one of the networks `proxies`."""
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in proxies)


def plain_address(address: str) -> str:
    """Return the IPv4 address of an IPv4-mapped IPv6 address, as seen on a dual-stack socket.

    A server on `::` sees the peer `127.0.0.1` as `::ffff:127.0.0.1`. Anything else is returned unchanged.
    """
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def client_address(peer: str, forwarded: str, proxies: Sequence[str]) -> str:
    """Return the nearest address that is not a trusted proxy.

    Each proxy appends its peer to `forwarded` (X-Forwarded-For), so anything before the first address that is not a
    proxy of ours can be forged. The header of an untrusted peer is ignored.
    """
    nearest = plain_address(peer)
    for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
        if not is_proxy(nearest, proxies) or not _is_address(hop):
            break
        nearest = plain_address(hop)
    return nearest


def request_address(request: HttpRequest) -> str:
    """Return the client's address, as set by `middleware.trusted_proxies`."""
    address: str = request.META.get("REMOTE_ADDR", "")
    return address


def request_block(request: HttpRequest) -> str | None:
    """Return the `block` by which a client is counted; None: the peer has no address, as on a Unix socket."""
    return block(request_address(request)) or None


def block(address: str) -> str:
    """Return the address of an IPv4 client, or the first address of an IPv6 client's /64 network.

    Empty if `address` is not an address.
    """
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return ""
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64))[0])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
