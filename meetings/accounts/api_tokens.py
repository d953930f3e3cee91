"""API tokens: created once, shown once, stored as a digest."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from meetings.accounts.bearer import is_well_made, new_token
from meetings.models import ApiToken

USED_EVERY = timedelta(minutes=1)
"""Precision of the time at which a token was last used."""


def create_token(user: User, name: str) -> str:
    """Create a token for the user and return it; it cannot be shown again."""
    token = new_token()
    ApiToken.objects.create(user=user, name=name, digest=_digest(token))
    return token


def user_of_token(token: str) -> User | None:
    """Return the token's user; None: the token is forged or revoked, or the user is inactive."""
    row = find_token(token)
    return None if row is None else row.user


def find_token(token: str) -> ApiToken | None:
    """Return the token's row with its user; None: the token is forged or revoked, or the user is inactive."""
    if not is_well_made(token):
        return None
    row = ApiToken.objects.select_related("user").filter(digest=_digest(token), user__is_active=True).first()
    if row is None:
        return None
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


def _digest(token: str) -> str:
    """Unsalted, because the token has 192 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
