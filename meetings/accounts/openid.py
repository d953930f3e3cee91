"""Login with an OpenID provider: verification of the response, and the user's account.

The exchange is mozilla-django-oidc's (authorization code, state, nonce, PKCE). Added here: the checks of issuer and
audience of an id token (OpenID Connect Core 1.0, 3.1.3.7), and accounts bound to the subject of an issuer, as an email
address can change hands.
"""

from __future__ import annotations

import hashlib
from typing import Any

import jwt
import requests
import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from meetings.accounts.openid_provider import TIMEOUT_S, ProviderAway, find_provider
from meetings.openid_config import OpenIdClient

log = structlog.get_logger(__name__)

SCOPES = "openid email profile"


def openid_settings() -> dict[str, Any]:
    """Return the settings that the library looks up by name. Raises ProviderAway."""
    client = _client()
    provider = find_provider(client.issuer)
    return {
        "OIDC_OP_AUTHORIZATION_ENDPOINT": provider.authorization,
        "OIDC_OP_TOKEN_ENDPOINT": provider.token,
        "OIDC_OP_USER_ENDPOINT": provider.userinfo,
        "OIDC_OP_JWKS_ENDPOINT": provider.keys,
        "OIDC_RP_CLIENT_ID": client.client_id,
        "OIDC_RP_CLIENT_SECRET": client.client_secret,
        "OIDC_RP_SIGN_ALGO": provider.algorithm,
        "OIDC_RP_SCOPES": SCOPES,
        "OIDC_USE_PKCE": True,
        "OIDC_TIMEOUT": TIMEOUT_S,
        "OIDC_AUTHENTICATION_CALLBACK_URL": "openid-callback",
    }


def setting(name: str, *default: Any) -> Any:
    """Return one of `openid_settings`, or the default."""
    found = openid_settings()
    return found[name] if name in found or not default else default[0]


class OpenIdBackend(OIDCAuthenticationBackend):
    """OpenID Connect backend.

    Django instantiates it at every login, so the constructor must not contact the provider.
    """

    get_settings = staticmethod(setting)

    def __init__(self) -> None:
        self.UserModel = User

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """Return the user; None: the response is invalid in any way, and the log holds the kind of error."""
        if request is None or "nonce" not in kwargs:
            return None
        try:
            super().__init__()
            user: User | None = super().authenticate(request, **kwargs)
        except (ProviderAway, SuspiciousOperation, requests.RequestException, jwt.PyJWTError, KeyError) as error:
            log.warning("openid_refused", reason=type(error).__name__)
            return None
        return user

    def get_user(self, user_id: int) -> User | None:
        """Return the user of a session while they are active, which the library does not check."""
        user: User | None = super().get_user(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Return the claims of an id token: signed, fresh, from our issuer, for us. Raises SuspiciousOperation."""
        claims: dict[str, Any] = super().verify_token(token, **kwargs)
        client = _client()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        is_ours = client.client_id in audiences and (len(audiences) == 1 or claims.get("azp") == client.client_id)
        if str(claims.get("iss", "")).rstrip("/") != client.issuer or not is_ours or "exp" not in claims:
            raise SuspiciousOperation("The id token is not for us.")
        return claims

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the merged claims of both, which must have the same subject. Raises SuspiciousOperation."""
        told: dict[str, Any] = super().get_userinfo(access_token, id_token, payload)
        if told.get("sub") != payload["sub"]:
            raise SuspiciousOperation("Two subjects in one sign-in.")
        return {**told, "sub": payload["sub"]}

    def verify_claims(self, claims: dict[str, Any]) -> bool:
        """Return whether the operator's settings admit the user."""
        allowed, address = _client().allowed, _verified_address(claims)
        return not allowed or (bool(address) and (address in allowed or address.partition("@")[2] in allowed))

    def filter_users_by_claims(self, claims: dict[str, Any]) -> QuerySet[User]:
        return User.objects.filter(username=self.get_username(claims))

    def get_username(self, claims: dict[str, Any]) -> str:
        """Return a name that stays the same when the person's name or address changes."""
        digest = hashlib.sha256(f"{_client().issuer}\n{claims['sub']}".encode()).hexdigest()
        return f"openid-{digest[:20]}"

    def create_user(self, claims: dict[str, Any]) -> User:
        return self.update_user(User(username=self.get_username(claims)), claims)

    def update_user(self, user: User, claims: dict[str, Any]) -> User:
        """Update name and address from the claims, and rights from the settings."""
        user.email = _verified_address(claims)
        user.first_name, user.last_name = (str(claims.get(name, ""))[:150] for name in ("given_name", "family_name"))
        user.is_staff = user.is_superuser = bool(user.email) and user.email in _client().admins
        if user.pk is None:
            user.set_unusable_password()
        user.save()
        return user


def _client() -> OpenIdClient:
    client: OpenIdClient | None = settings.ENVIRONMENT.openid
    assert client is not None
    return client


def _verified_address(claims: dict[str, Any]) -> str:
    """Return the address in lower case; empty unless the provider has verified it."""
    return str(claims.get("email", "")).lower()[:254] if claims.get("email_verified") is True else ""
