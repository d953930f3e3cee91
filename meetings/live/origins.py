"""Origins that may open sockets: our own, by full origin, and those that the operator trusts.

Clients other than browsers send no origin and hold a token instead (docs/decisions/0003-origins.md).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host


class FullOriginValidator:
    """Deny a WebSocket handshake whose `Origin` is not exactly ours: host and port, not host alone."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if is_allowed(headers.get(b"origin"), headers.get(b"host", "")):
            return await self._application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)


def is_allowed(origin: str | None, host: str) -> bool:
    """Return whether a page of `origin` may open a socket at `host` (the `Host` header, with its port)."""
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    if origin is None or origin in settings.ENVIRONMENT.trusted_origins:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
