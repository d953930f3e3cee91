"""Metadata of an OpenID provider: its endpoints and algorithm (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx

TIMEOUT_S = 10.0
DISCOVERY_TTL_S = 3_600.0
ALGORITHMS = ("RS256", "ES256")
"""Signature algorithms, the most common first. None uses a shared secret, so only the provider can sign."""


class ProviderAway(Exception):
    """The provider is unreachable, or is not the issuer it should be."""


@dataclass(frozen=True, slots=True)
class Provider:
    authorization: str
    token: str
    userinfo: str
    keys: str
    algorithm: str


_found: dict[str, tuple[float, Provider]] = {}
"""Providers by issuer, with the time until which they are valid."""


def find_provider(issuer: str) -> Provider:
    """Return the provider, discovered at most once per hour and process. Raises ProviderAway."""
    until, provider = _found.get(issuer, (0.0, None))
    if provider is None or time.monotonic() >= until:
        provider = _discover(issuer)
        _found[issuer] = (time.monotonic() + DISCOVERY_TTL_S, provider)
    return provider


def _discover(issuer: str) -> Provider:
    try:
        answer = httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=TIMEOUT_S)
        answer.raise_for_status()
        told = answer.json()
        if told["issuer"].rstrip("/") != issuer:
            raise ProviderAway(f"It calls itself {told['issuer']}.")
        offered = told.get("id_token_signing_alg_values_supported", ALGORITHMS)
        algorithm = next(name for name in ALGORITHMS if name in offered)
        return Provider(
            told["authorization_endpoint"],
            told["token_endpoint"],
            told["userinfo_endpoint"],
            told["jwks_uri"],
            algorithm,
        )
    except (httpx.HTTPError, ValueError, KeyError, StopIteration) as error:
        raise ProviderAway(type(error).__name__) from error
