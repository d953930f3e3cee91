"""Signing in by a small OpenID provider on this machine, and every way in which its answer may be wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from meetings.accounts.api_tokens import user_of_token
from meetings.accounts.page_tokens import admits
from meetings.models import ApiToken, Meeting
from meetings.openid_config import OpenIdClient, read_openid

pytestmark = pytest.mark.django_db

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class Provider(HTTPServer):
    """Signs whoever asks in as `subject`; `claims` and `key` make its id token another one than it should be."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.claims: dict[str, Any] = {}
        self.profile: dict[str, Any] = {"sub": "7", "email": "Ana@example.org", "email_verified": True}
        self.key: Any = KEY
        self.algorithm = "RS256"
        self.nonce = self.challenge = ""
        self.verified: list[bool] = []

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "parlance", "sub": "7", "iat": now, "exp": now + 60, "nonce": self.nonce,
            **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, self.algorithm, headers={"kid": "1"})

    def answer(self, path: str, body: str) -> dict[str, Any]:
        match path:
            case "/.well-known/openid-configuration":
                ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
                return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **ends}
            case "/keys":
                public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
                return {"keys": [{**public, "kid": "1", "alg": "RS256"}]}
            case "/token":
                digest = hashlib.sha256(parse_qs(body)["code_verifier"][0].encode()).digest()
                self.verified.append(base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenge)
                return {"access_token": "a", "id_token": self.id_token()}
        return self.profile


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        answer = json.dumps(self.server.answer(self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    client = OpenIdClient(server.issuer, "parlance", "secret", (), ("ana@example.org",))
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, openid=client))
    backends = [*settings.AUTHENTICATION_BACKENDS, "meetings.accounts.openid.OpenIdBackend"]
    monkeypatch.setattr(settings, "AUTHENTICATION_BACKENDS", backends)
    yield server
    server.shutdown()
    server.server_close()


def choose(monkeypatch: pytest.MonkeyPatch, **choices: Any) -> None:
    client = replace(settings.ENVIRONMENT.openid, **choices)
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, openid=client))


def sign_in(client: Client, provider: Provider, *, next_page: str = "") -> str:
    """Where the browser is in the end."""
    sent = client.get("/openid/sign-in/", {"next": next_page} if next_page else {})
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent["Location"]).query).items()}
    assert sent["Location"].startswith(f"{provider.issuer}/authorization?")
    assert (asked["client_id"], asked["code_challenge_method"]) == ("parlance", "S256")
    assert asked["redirect_uri"] == "http://testserver/openid/callback/"
    provider.nonce, provider.challenge = provider.nonce or asked["nonce"], asked["code_challenge"]
    answer = client.get("/openid/callback/", {"code": "c", "state": asked["state"]})
    return str(answer["Location"])


REFUSED = "/login/?openid=refused"


def test_a_host_comes_in_and_is_the_same_one_again(client: Client, provider: Provider) -> None:
    assert sign_in(client, provider, next_page="/uploads/") == "/uploads/"
    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser, user.has_usable_password()) == (
        "ana@example.org", True, True, False,
    )  # fmt: skip
    assert client.get("/").status_code == 200
    assert provider.verified == [True]
    provider.nonce, provider.profile = "", {"sub": "7", "email": "ana@elsewhere.example", "email_verified": True}
    assert sign_in(Client(), provider) == "/"
    user.refresh_from_db()
    assert (User.objects.count(), user.email, user.is_staff) == (1, "ana@elsewhere.example", False)


def test_who_is_deactivated_is_out_at_once(client: Client, provider: Provider) -> None:
    sign_in(client, provider)
    token = client.post("/account/", {"name": "a program"}).context["new_token"]
    socket = client.post("/", {"title": "Budget", "language": "en"})["Location"]
    meeting = Meeting.objects.get()
    found = re.search(r'data-token="([^"]+)"', client.get(socket).content.decode())
    assert found is not None
    assert (admits(meeting, "host", found[1]), user_of_token(token)) == (True, User.objects.get())
    User.objects.update(is_active=False)
    assert client.get("/")["Location"] == "/login/?next=/"
    assert client.post("/", {"title": "Board", "language": "en"})["Location"] == "/login/?next=/"
    assert client.post("/account/", {"name": "another"})["Location"] == "/login/?next=/account/"
    assert client.get(f"/m/{meeting.pk}/read/").status_code == 403
    assert client.get("/admin/operations/")["Location"] == "/admin/login/?next=/admin/operations/"
    assert (admits(meeting, "host", found[1]), user_of_token(token)) == (False, None)
    assert (Meeting.objects.count(), ApiToken.objects.count()) == (1, 1)
    provider.nonce = ""
    assert sign_in(Client(), provider) == REFUSED


def test_an_address_takes_no_account_over(client: Client, provider: Provider) -> None:
    User.objects.create_superuser("root", email="ana@example.org")
    provider.profile = {"sub": "7", "email": "ana@example.org", "email_verified": False}
    sign_in(client, provider)
    user = User.objects.get(username__startswith="openid-")
    assert (user.email, user.is_staff, User.objects.count()) == ("", False, 2)


def test_it_leads_nowhere_else(client: Client, provider: Provider) -> None:
    assert sign_in(client, provider, next_page="https://elsewhere.example/") == "/"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"aud": ["parlance", "another"]},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nonce": "another"},
        {"sub": "8"},
    ],
)
def test_an_id_token_that_is_not_for_us_opens_nothing(
    client: Client, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    assert sign_in(client, provider) == REFUSED
    assert not User.objects.exists()
    assert "did not sign you in" in client.get(REFUSED).content.decode()


def test_a_signature_must_be_the_providers(client: Client, provider: Provider) -> None:
    provider.key = FOREIGN_KEY
    assert sign_in(client, provider) == REFUSED
    provider.key, provider.algorithm = "secret" * 8, "HS256"
    assert sign_in(Client(), provider) == REFUSED
    provider.key, provider.algorithm = "", "none"
    assert sign_in(Client(), provider) == REFUSED
    assert not User.objects.exists()


def test_a_state_counts_once_and_in_its_own_browser(client: Client, provider: Provider) -> None:
    sent = client.get("/openid/sign-in/")
    state = parse_qs(urlsplit(sent["Location"]).query)["state"][0]
    assert Client().get("/openid/callback/", {"code": "c", "state": state})["Location"] == REFUSED
    assert client.get("/openid/callback/", {"code": "c", "state": "another"}).status_code == 400
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("allowed", "profile", "place"),
    [
        (("example.org",), {}, "/"),
        (("ana@example.org",), {}, "/"),
        (("elsewhere.example",), {}, REFUSED),
        (("ample.org",), {}, REFUSED),
        (("example.org",), {"email_verified": False}, REFUSED),
    ],
)
def test_the_operator_says_who_may_come_in(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...],
    profile: dict[str, Any], place: str,
) -> None:  # fmt: skip
    choose(monkeypatch, allowed=allowed)
    provider.profile |= profile
    assert sign_in(client, provider) == place


def test_a_provider_that_is_away_is_told_and_passwords_go_on(
    client: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, issuer="http://127.0.0.1:1")
    assert client.get("/openid/sign-in/")["Location"] == "/login/?openid=away"
    assert "does not answer" in client.get("/login/?openid=away").content.decode()
    User.objects.create_user("bea", password="correct horse")
    answer = client.post("/login/", {"username": "bea", "password": "correct horse"})
    assert answer["Location"] == "/"


def test_without_a_provider_there_is_no_such_page(client: Client) -> None:
    assert client.get("/openid/sign-in/").status_code == 404
    assert "Sign in with" not in client.get("/login/").content.decode()


def test_half_of_the_settings_is_refused() -> None:
    assert read_openid({}) is None
    for env in (
        {"PARLANCE_OIDC_ISSUER": "http://id.example.org", "PARLANCE_OIDC_CLIENT_ID": "a"},
        {"PARLANCE_OIDC_ISSUER": "https://id.example.org", "PARLANCE_OIDC_CLIENT_ID": "a"},
    ):
        with pytest.raises(ImproperlyConfigured):
            read_openid(env)
