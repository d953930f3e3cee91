from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from meetings.accounts.models import ApiToken, Webhook
from meetings.programs.api_tokens import user_of_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def host(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_token_is_shown_once_and_revoked(host: Client, stranger: Client, user: User) -> None:
    page = host.post("/account/", {"name": "Nightly <b>"}).content.decode()
    [token] = re.findall(r"parlance_[0-9a-f]+_[0-9a-f]+", page)
    assert user_of_token(token) == user
    again = host.get("/account/").content.decode()
    assert token not in again
    assert "Nightly &lt;b&gt;" in again
    assert "Nightly" not in stranger.get("/account/").content.decode()
    address = f"/account/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert stranger.post(address).status_code == 404
    assert host.get(address).status_code == 405
    assert host.post(address)["Location"] == "/account/"
    assert user_of_token(token) is None


def test_an_address_is_added_with_a_secret_that_is_shown_once(host: Client, stranger: Client) -> None:
    page = host.post("/account/webhooks/", {"url": "https://hooks.example.org/x"}).content.decode()
    hook = Webhook.objects.get()
    assert hook.secret in page
    again = host.get("/account/").content.decode()
    assert (hook.secret in again, "https://hooks.example.org/x" in again) == (False, True)
    assert stranger.post(f"/account/webhooks/{hook.pk}/remove/").status_code == 404
    host.post(f"/account/webhooks/{hook.pk}/remove/")
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("url", ["http://example.org/", "https://127.0.0.1/", "javascript:alert(1)", ""])
def test_addresses_within_are_refused(host: Client, url: str) -> None:
    assert host.post("/account/webhooks/", {"url": url}).status_code == 422
    assert not Webhook.objects.exists()
