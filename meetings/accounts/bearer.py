"""Bearer tokens of programs: how they are made, and told apart from forged ones without asking a database."""

from __future__ import annotations

import hmac
import secrets

from django.conf import settings
from django.utils.crypto import salted_hmac

PREFIX = "parlance"
RANDOM_BYTES = 24
CHECK_DIGITS = 16


def new_token() -> str:
    """`parlance_<192 random bits>_<check>`."""
    random = secrets.token_hex(RANDOM_BYTES)
    return f"{PREFIX}_{random}_{_check(random)}"


def is_well_made(token: str) -> bool:
    """Whether this installation made the token, whoever has it and whether it still counts or not."""
    parts = token.split("_")
    if len(parts) != 3 or parts[0] != PREFIX:
        return False
    return hmac.compare_digest(_check(parts[1]).encode(), parts[2].encode("utf-8", "replace"))


def token_in(authorization: str) -> str:
    """What stands in an `Authorization: Bearer …` header; empty: nothing."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check(random: str) -> str:
    digest = salted_hmac("meetings.bearer", random, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()
    return digest[:CHECK_DIGITS]
