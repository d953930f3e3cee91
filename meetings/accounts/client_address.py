"""Who is at the other end: the peer's address, or the one that a trusted proxy names."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from django.http import HttpRequest


def is_proxy(address: str, proxies: Sequence[str]) -> bool:
    """Whether `address` lies in one of the networks `proxies`."""
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in proxies)


def plain_address(address: str) -> str:
    """Return the IPv4 address of a caller on a socket that takes both kinds, where it is written as an IPv6 one.

    A server on `::` names the peer `127.0.0.1` as `::ffff:127.0.0.1`. What is no address is returned as it is.
    """
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return address if mapped is None else str(mapped)


def client_address(peer: str, forwarded: str, proxies: Sequence[str]) -> str:
    """The nearest address that is not a trusted proxy.

    Each proxy adds its peer at the end of `forwarded` (X-Forwarded-For), so what stands before the first address that
    is not one of ours was written by anybody. A peer that is no proxy is believed about nothing.
    """
    nearest = plain_address(peer)
    for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
        if not is_proxy(nearest, proxies) or not _is_address(hop):
            break
        nearest = plain_address(hop)
    return nearest


def request_address(request: HttpRequest) -> str:
    """The caller's, as `middleware.trusted_proxies` left it."""
    address: str = request.META.get("REMOTE_ADDR", "")
    return address


def request_block(request: HttpRequest) -> str | None:
    """Return what a caller is counted by: see `block`. None where the peer has no address, as on a Unix socket."""
    return block(request_address(request)) or None


def block(address: str) -> str:
    """Return the first address of what one caller has: an IPv4 address, the 64 bits of a network in IPv6.

    What is no address is returned as empty.
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
