from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from meetings.accounts.api_tokens import user_of_token
from meetings.models import ApiToken, Delivery, Webhook

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


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://example.org/", "Only public addresses that begin with https:// are called."),
        ("https://127.0.0.1/", "Only public addresses that begin with https:// are called."),
        ("https://example.com:99999/", "Only the ports 80, 443 and 8000 to 8999 are called."),
        (f"https://{61 * 'ü'}.com/", "This is no address that can be called."),
        ("https://user@example.org/", "The address must name a host, and no user."),
        ("javascript:alert(1)", "Enter a valid URL."),
        ("", "This field is required."),
    ],
)
def test_addresses_that_cannot_be_called_are_refused_with_a_sentence(host: Client, url: str, sentence: str) -> None:
    answer = host.post("/account/webhooks/", {"url": url})
    assert (answer.status_code, sentence in answer.content.decode()) == (422, True)
    assert not Webhook.objects.exists()


def test_the_sentence_is_in_the_language_of_the_page(host: Client) -> None:
    answer = host.post("/account/webhooks/", {"url": "https://example.com:25/"}, headers={"Accept-Language": "pt"})
    assert "Só são chamadas as portas 80, 443 e 8000 a 8999." in answer.content.decode()


def test_a_user_has_so_many_addresses(host: Client, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.web.account_forms.MAX_WEBHOOKS", 2)
    answers = [host.post("/account/webhooks/", {"url": f"https://example.org/{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert "You have 2 addresses, the most that are allowed." in answers[-1].content.decode()
    assert user.webhooks.count() == 2


def test_who_has_too_much_waiting_is_told(host: Client, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.web.account_views.MAX_WAITING_DELIVERIES", 1)
    hook, told = Webhook.objects.create(user=user, url="https://example.org/"), "that new ones are left out"
    assert told not in host.get("/account/").content.decode()
    Delivery.objects.create(webhook=hook, event="meeting.ready", body="{}")
    assert told in host.get("/account/").content.decode()
