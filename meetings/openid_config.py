"""What the operator chose for signing in by an OpenID provider; read with the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

ISSUER_PATTERN = re.compile(r"https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True)
class OpenIdClient:
    """This installation, as its OpenID provider knows it."""

    issuer: str
    """Without a slash at its end; the provider's own word for itself."""
    client_id: str
    client_secret: str
    allowed: tuple[str, ...]
    """Addresses (`ana@example.org`) and domains (`example.org`) that may sign in; none: whomever the provider lets."""
    admins: tuple[str, ...]
    """Addresses of administrators."""


def read_openid(env: Mapping[str, str]) -> OpenIdClient | None:
    """None: hosts sign in by password alone. Raises ImproperlyConfigured for half of it."""
    issuer = env.get("PARLANCE_OIDC_ISSUER", "").rstrip("/")
    client_id, secret = env.get("PARLANCE_OIDC_CLIENT_ID", ""), env.get("PARLANCE_OIDC_CLIENT_SECRET", "")
    allowed, admins = env.get("PARLANCE_OIDC_ALLOWED", ""), env.get("PARLANCE_OIDC_ADMINS", "")
    if not issuer:
        return None
    if not ISSUER_PATTERN.fullmatch(issuer):
        raise ImproperlyConfigured(f"PARLANCE_OIDC_ISSUER is {issuer!r}; it must begin with https://.")
    if not client_id or not secret:
        raise ImproperlyConfigured(
            "PARLANCE_OIDC_ISSUER needs PARLANCE_OIDC_CLIENT_ID and PARLANCE_OIDC_CLIENT_SECRET."
        )
    return OpenIdClient(issuer, client_id, secret, _items(allowed), _items(admins))


def _items(value: str) -> tuple[str, ...]:
    return tuple(item.strip().lower() for item in value.split(",") if item.strip())
