from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from meetings.accounts.signin import can_anybody_sign_in, one_time_link, sign_in_tokens, user_of_link
from meetings.openid_config import OpenIdClient

BASE = "http://testserver"

pytestmark = pytest.mark.django_db


def path_of(link: str) -> str:
    return link.removeprefix(BASE)


def test_first_link_makes_an_administrator_without_a_password() -> None:
    one_time_link(BASE)
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.has_usable_password()) == ("host", True, False)


def test_further_links_are_for_the_same_administrator() -> None:
    one_time_link(BASE)
    one_time_link(f"{BASE}/")
    assert User.objects.count() == 1


def test_an_ordinary_user_named_host_is_not_promoted() -> None:
    User.objects.create_user("host")
    one_time_link(BASE)
    assert not User.objects.get(username="host").is_superuser
    assert User.objects.get(username="host-2").is_superuser


def test_link_signs_in_once(client: Client) -> None:
    link = path_of(one_time_link(BASE))
    answer = client.get(link)
    assert (answer.status_code, answer["Location"], answer["Cache-Control"]) == (302, "/", "private, no-store")
    assert client.get("/").status_code == 200

    again = Client().get(link)
    assert again.status_code == 403
    assert "already used" in again.content.decode()


def test_using_one_link_ends_the_others(client: Client) -> None:
    first, second = path_of(one_time_link(BASE)), path_of(one_time_link(BASE))
    client.get(first)
    assert Client().get(second).status_code == 403


def test_a_link_is_good_for_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    link = path_of(one_time_link(BASE))
    for passed, status in ((timedelta(minutes=16), 403), (timedelta(minutes=14), 302)):
        later = datetime.now() + passed
        monkeypatch.setattr(sign_in_tokens, "_now", lambda later=later: later)
        assert Client().get(link).status_code == status


class TestWhoCanSignIn:
    def test_nobody_on_a_fresh_installation(self) -> None:
        assert not can_anybody_sign_in()
        one_time_link(BASE)
        assert not can_anybody_sign_in(), "a link that nobody has used signs nobody in"

    def test_an_administrator_who_has_a_password(self) -> None:
        User.objects.create_superuser("root", password="correct horse")
        assert can_anybody_sign_in()
        User.objects.update(is_active=False)
        assert not can_anybody_sign_in()

    def test_a_host_is_no_administrator(self) -> None:
        User.objects.create_user("ana", password="correct horse", last_login=timezone.now())
        assert not can_anybody_sign_in()

    def test_an_administrator_without_one_as_long_as_the_sign_in_lasts(self) -> None:
        age = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        User.objects.create_superuser("host", last_login=timezone.now() - age + timedelta(minutes=1))
        assert can_anybody_sign_in()
        User.objects.update(last_login=timezone.now() - age)
        assert not can_anybody_sign_in()

    def test_administrators_of_an_openid_provider(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for admins, expected in (((), False), (("ana@example.org",), True)):
            client = OpenIdClient("https://id.example.org", "parlance", "secret", (), admins)
            monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, openid=client))
            assert can_anybody_sign_in() is expected


def test_password_reset_token_is_no_sign_in_link() -> None:
    from django.contrib.auth.tokens import default_token_generator

    user = User.objects.create_superuser("host")
    assert not sign_in_tokens.check_token(user, default_token_generator.make_token(user))


@pytest.mark.parametrize("uid", ["", "*", "____", "OTk5", "w6k"])
def test_nonsense_is_nobody(uid: str) -> None:
    one_time_link(BASE)
    assert user_of_link(uid, "c0-ffee") is None


def test_disabled_administrator_gets_no_link() -> None:
    one_time_link(BASE)
    User.objects.update(is_active=False)
    one_time_link(BASE)
    assert User.objects.filter(is_active=True).get().username == "host-2"
