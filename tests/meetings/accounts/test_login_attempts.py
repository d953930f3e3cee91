"""Wrong passwords at the sign-in: who waits for them, and who does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from meetings.accounts import login_attempts

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def owner() -> User:
    return User.objects.create_user("ana", password=PASSWORD)


def try_password(password: str, name: str = "ana", address: str = "10.0.0.1") -> int:
    client = Client(REMOTE_ADDR=address)
    return client.post("/login/", {"username": name, "password": password}).status_code


def test_guessing_a_password_is_stopped_for_a_while() -> None:
    assert [try_password("wrong") for _ in range(5)] == [200] * 4 + [429]
    assert try_password(PASSWORD) == 429, "not even the right one"
    assert AccessAttempt.objects.get().failures_since_start == 5, "who tries on does not wait longer for it"
    assert try_password(PASSWORD, address="10.0.0.2") == 302, "others are not locked out with them"
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert try_password(PASSWORD) == 302


def test_the_admin_is_locked_too() -> None:
    codes = [Client().post("/admin/login/", {"username": "ana", "password": "wrong"}).status_code for _ in range(5)]
    assert codes == [200] * 4 + [429]


def test_names_that_are_made_up_are_counted_by_address() -> None:
    codes = [try_password("wrong", name=f"name-{number}") for number in range(login_attempts.TRIES_OF_ADDRESS + 5)]
    assert codes == [200] * login_attempts.TRIES_OF_ADDRESS + [429] * 5
    assert try_password(PASSWORD, address="10.0.0.2") == 302, "nobody elsewhere is locked out"
    assert AccessAttempt.objects.count() == login_attempts.TRIES_OF_ADDRESS, "who is locked leaves nothing behind"


def test_a_network_of_ipv6_is_one_address() -> None:
    codes = [try_password("wrong", address=f"2001:db8:0:1:{number}::7") for number in range(6)]
    assert codes == [200] * 4 + [429] * 2
    assert try_password(PASSWORD, address="2001:db8:0:2::1") == 302


def test_a_name_that_is_attacked_from_everywhere_is_slowed_and_not_locked() -> None:
    codes = [try_password("wrong", address=f"10.1.0.{number}") for number in range(login_attempts.LOGIN_ATTACKED - 1)]
    assert set(codes) == {200}
    assert try_password("wrong", address="10.2.0.1") == 429, "from now on one try an address is enough"
    assert try_password("wrong", name="bea", address="10.2.0.2") == 200, "of that name alone"
    assert try_password(PASSWORD, address="10.2.0.3") == 302


def test_a_sign_in_takes_back_its_own_tries_alone() -> None:
    User.objects.create_user("eve", password=PASSWORD)
    for number in range(login_attempts.TRIES_OF_ADDRESS - 1):
        try_password("wrong", name=f"name-{number}")
    assert try_password("wrong", name="eve") == 200
    assert try_password(PASSWORD, name="eve") == 429, "an account does not make an address a clean one"
    AccessAttempt.objects.filter(username="name-0").delete()
    assert try_password(PASSWORD, name="eve") == 302
    assert not AccessAttempt.objects.filter(username="eve").exists()
    assert AccessAttempt.objects.count() == login_attempts.TRIES_OF_ADDRESS - 2


def test_a_caller_without_an_address_may_sign_in() -> None:
    """As behind a Unix socket whose proxy is not believed."""
    assert try_password("wrong", address="") == 200
    assert try_password(PASSWORD, address="") == 302


def test_what_no_longer_counts_is_deleted_with_the_next_wrong_password() -> None:
    try_password("wrong", name="bea")
    AccessAttempt.objects.update(attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1))
    try_password("wrong")
    assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["ana"]
