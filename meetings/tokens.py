"""Links that let someone in: derived from the secret key, so nothing is stored and raising a number revokes them."""

from __future__ import annotations

import base64
import hmac
from typing import Literal

from django.conf import settings
from django.utils.crypto import salted_hmac

from meetings.models import Meeting

Role = Literal["host", "join"]

TOKEN_BYTES = 24
"""192 bits: beyond guessing, short enough for a QR code that a phone reads across a room."""


def meeting_token(meeting: Meeting, role: Role) -> str:
    """The secret part of a meeting's host or viewer link."""
    value = f"{meeting.pk}:{role}:{meeting.link_generation}"
    digest = salted_hmac("meetings.tokens", value, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).decode("ascii")


def is_meeting_token(meeting: Meeting, role: Role, token: str) -> bool:
    """Whether `token` opens the meeting for `role`, compared in constant time."""
    return hmac.compare_digest(meeting_token(meeting, role).encode(), token.encode("utf-8", "replace"))
