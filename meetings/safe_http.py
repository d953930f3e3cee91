"""Connections to the public internet alone: a name that leads into our own network is not followed there (SSRF).

A name is looked up once. Its addresses are judged, and httpx connects to one that was judged, so that the name cannot
lead elsewhere the second time. TLS and the `Host` header still speak of the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from functools import cache, partial

import httpx
from django.utils.translation import gettext as _

from meetings.threads import DaemonThreads

DEADLINE_S = 10.0
"""For a whole exchange: name, connection, TLS, request, and the head of the answer."""

CONNECT_S = 4.0
"""For one of the addresses of a name; the next one is tried then."""

MAX_ADDRESSES = 4
PUBLIC_PORTS = frozenset({80, 443, *range(8000, 9000)})
"""Where web servers listen. Nobody may have us knock at mail servers and databases."""

MAX_HOST = 253
LOCALHOST = "localhost"
"""Never public (RFC 6761)."""

LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
HOST = re.compile(rf"{LABEL}(?:\.{LABEL})*")
"""A name as DNS takes it (RFC 1035), after IDNA."""

NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # of protocols (RFC 6890)
            "192.88.99.0/24",  # what was the anycast of 6to4 (RFC 7526)
            "2001::/23",  # of protocols, Teredo among them
            "2001:db8::/32",  # documents
            "3fff::/20",
        ),
    )
)
"""Beside what `ipaddress` knows, whichever version of Python it comes with."""

UNICAST = ipaddress.ip_network("2000::/3")
"""All that is given out of IPv6 (RFC 4291); outside lie loopback, site-local and IPv4-compatible addresses."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""A public IPv4 address, where a network speaks IPv6 alone (RFC 6052)."""

lookups = DaemonThreads("lookup")
"""A name server that says nothing holds up a thread for half a minute, and no process."""


class ForbiddenAddress(Exception):
    """The address is not one that a stranger may have us call; the text says why."""


class NotReached(Exception):
    """There was no answer, or none in time; the text says why."""


def check_address(url: str, *, is_private_allowed: bool) -> httpx.URL:
    """Return the address as it is called: its host in IDNA, and its path in percent form where it is not ASCII.

    Where a name leads is judged at each call.

    Raises:
        ForbiddenAddress: what is wrong in the text itself.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # decoded from IDNA, as each request does it
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ForbiddenAddress(_("This is no address that can be called.")) from error
    if parsed.scheme != "https" and not (is_private_allowed and parsed.scheme == "http"):
        raise ForbiddenAddress(_("Only public addresses that begin with https:// are called."))
    if not host or parsed.userinfo:
        raise ForbiddenAddress(_("The address must name a host, and no user."))
    _check_port(parsed.port, is_private_allowed=is_private_allowed)
    _check_host(parsed.raw_host.decode("ascii"), is_private_allowed=is_private_allowed)
    return parsed


async def post(url: str, body: bytes, headers: dict[str, str], *, is_private_allowed: bool) -> int:
    """Send a POST and return the status of the answer; a redirect is an answer like any other.

    The answer's body is not read.

    Raises:
        ForbiddenAddress: the host is, or has, an address that is not public.
        NotReached: it cannot be reached, does not speak HTTP, or takes longer than DEADLINE_S.
    """
    address = check_address(url, is_private_allowed=is_private_allowed)
    transport = JudgedTransport(is_private_allowed=is_private_allowed)
    timeout = httpx.Timeout(DEADLINE_S, connect=CONNECT_S)
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client,
            client.stream("POST", address, content=body, headers=headers) as answer,
        ):
            return answer.status_code
    except TimeoutError as error:
        raise NotReached(f"There was no answer within {DEADLINE_S:g} s.") from error
    except (httpx.HTTPError, OSError) as error:
        raise NotReached(str(error) or type(error).__name__) from error


class JudgedTransport(httpx.AsyncBaseTransport):
    """Connect to the addresses of a request's host that were judged, one after the other."""

    def __init__(self, *, is_private_allowed: bool) -> None:
        self._is_private_allowed = is_private_allowed
        self._transport = httpx.AsyncHTTPTransport(verify=tls_context())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first address that can be connected to."""
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or {"https": 443, "http": 80}[request.url.scheme]
        *others, last = await look_up(host, port, is_private_allowed=self._is_private_allowed)
        request.extensions = {**request.extensions, "sni_hostname": host.removesuffix(".")}
        url = request.url
        for address in others:
            request.url = url.copy_with(host=address)
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        request.url = url.copy_with(host=last)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


async def look_up(host: str, port: int, *, is_private_allowed: bool) -> list[str]:
    """Return the first addresses of the host. Raises ForbiddenAddress unless all of them are public."""
    entries = await lookups.run(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    if not is_private_allowed and not all(map(is_public, found)):
        raise ForbiddenAddress(_("Only public addresses that begin with https:// are called."))
    return found[:MAX_ADDRESSES]


@cache
def tls_context() -> ssl.SSLContext:
    """The machine's own certificates, read once."""
    return ssl.create_default_context()


def is_public(address: str) -> bool:
    """Whether the address belongs to a host of the public internet, also one that it holds within itself."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        within = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            within = ipaddress.IPv4Address(ip.packed[-4:])
        if within is not None:
            return is_public(str(within))
        if ip not in UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in NOT_PUBLIC)


def _check_port(port: int | None, *, is_private_allowed: bool) -> None:
    if is_private_allowed:
        if port is not None and not 1 <= port <= 65_535:
            raise ForbiddenAddress(_("A port is a number from 1 to 65535."))
    elif port is not None and port not in PUBLIC_PORTS:
        raise ForbiddenAddress(_("Only the ports 80, 443 and 8000 to 8999 are called."))


def _check_host(host: str, *, is_private_allowed: bool) -> None:
    host = host.removesuffix(".")
    if not is_private_allowed and (host == LOCALHOST or host.endswith(f".{LOCALHOST}")):
        raise ForbiddenAddress(_("Only public addresses that begin with https:// are called."))
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if len(host) > MAX_HOST or not HOST.fullmatch(host):
            raise ForbiddenAddress(_("The host's name is not one that can be looked up.")) from None
        return
    if not is_private_allowed and not is_public(host):
        raise ForbiddenAddress(_("Only public addresses that begin with https:// are called."))
