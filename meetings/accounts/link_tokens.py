"""Tokens of meeting links, derived from the secret key: nothing is stored, and raising a number revokes them."""

from __future__ import annotations

import base64
import hmac
from typing import Literal

from django.conf import settings
from django.utils.crypto import salted_hmac

from meetings.models import Meeting

Role = Literal["host", "join"]

TOKEN_BYTES = 24
"""192 bits: unguessable, yet short enough for a QR code that a phone reads across a room."""


def meeting_token(meeting: Meeting, role: Role) -> str:
    """Return the secret part of a meeting's host or viewer link."""
    value = f"{meeting.pk}:{role}:{meeting.link_generation}"
    digest = salted_hmac("meetings.tokens", value, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).decode("ascii")


def is_meeting_token(meeting: Meeting, role: Role, token: str) -> bool:
    """Return whether `token` opens the meeting for `role`, compared in constant time."""
    return hmac.compare_digest(meeting_token(meeting, role).encode(), token.encode("utf-8", "replace"))


def storage_key(meeting: Meeting) -> str:
    """Return the key with which the host's page encrypts audio in browser storage: 256 bits in base64url.

    New links do not change it, so audio stored under the old ones is still sent.
    """
    digest = salted_hmac("meetings.tokens.storage", meeting.pk, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")
