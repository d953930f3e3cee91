"""The path under which a proxy shows the installation, such as `/captions`; read with the environment."""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured

PATTERN = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
LONGEST = 200

OWN_PATHS = (
    "account", "admin", "first-steps", "healthz", "host", "interface-language", "join", "login", "logout", "m",
    "metrics", "openid", "readyz", "sample", "sign-in", "states", "static", "uploads", "v1", "ws",
)  # fmt: skip
"""First parts of our own paths. Under a base path of this name nobody could tell whether a proxy had cut it off."""


def read_base_path(value: str) -> str:
    """Return the path without a slash at its end; empty for the root. Raises ImproperlyConfigured."""
    path = value.rstrip("/")
    if not value.startswith("/") and value:
        raise ImproperlyConfigured(f"PARLANCE_BASE_PATH is {value!r}; it must begin with a slash, as in /captions.")
    if path and (not PATTERN.fullmatch(path) or len(path) > LONGEST):
        raise ImproperlyConfigured(
            f"PARLANCE_BASE_PATH is {value!r}; write a path such as /captions, of letters, digits and -._~."
        )
    if path and path.split("/")[1] in OWN_PATHS:
        raise ImproperlyConfigured(
            f"PARLANCE_BASE_PATH is {value!r}, which is a path of Parlance's own; choose another."
        )
    return path


def without_base(path: str, base: str) -> str:
    """Return the path as our own routes know it. Proxies cut the base path off or leave it."""
    if path == base:
        return "/"
    return path.removeprefix(base) if path.startswith(f"{base}/") else path
