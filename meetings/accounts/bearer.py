"""Bearer tokens of API clients: creation, and detection of forged ones without a database query."""

from __future__ import annotations

import hmac
import secrets

from django.conf import settings
from django.utils.crypto import salted_hmac

PREFIX = "parlance"
RANDOM_BYTES = 24
CHECK_DIGITS = 16


def new_token() -> str:
    """Return `parlance_<192 random bits>_<check>`."""
    random = secrets.token_hex(RANDOM_BYTES)
    return f"{PREFIX}_{random}_{_check(random)}"


def is_well_made(token: str) -> bool:
    """Return whether this installation created the token, revoked or not."""
    parts = token.split("_")
    if len(parts) != 3 or parts[0] != PREFIX:
        return False
    return hmac.compare_digest(_check(parts[1]).encode(), parts[2].encode("utf-8", "replace"))


def token_in(authorization: str) -> str:
    """Return the token of an `Authorization: Bearer …` header; empty: none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check(random: str) -> str:
    digest = salted_hmac("meetings.bearer", random, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()
    return digest[:CHECK_DIGITS]
