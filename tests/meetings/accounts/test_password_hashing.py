"""Password hashes wait for each other, in a flood too, and none is skipped."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.contrib.auth.models import User
from django.test import Client

from meetings import settings as product
from meetings.accounts import password_hashing
from meetings.accounts.link_tokens import meeting_token
from meetings.accounts.password_hashing import HASHING_NICENESS, HASHING_RETRY_AFTER_S, HashQueue, TooManyHashes
from meetings.models import Meeting

WAIT_S = 20.0


class Gate:
    """Work that goes on when the test says so, and counts how many are at it together."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.at_once = self.most_at_once = 0
        self.niceness: set[int] = set()

    def __call__(self) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.entered.set()
        assert self.opened.wait(WAIT_S)
        self.at_once -= 1
        return 7


@pytest.fixture
def real_hashes(settings: Any) -> None:
    """As the product has them; other tests hash quickly."""
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS


def full(queue: HashQueue, gate: Gate, most: int) -> list[Future[int]]:
    """So many as may wait, the first of them at work."""
    people = ThreadPoolExecutor(most)
    waiting = [people.submit(queue.run, gate) for _ in range(most)]
    assert gate.entered.wait(WAIT_S)
    deadline = threading.Event()
    while queue._under_way < most and not deadline.wait(0.01):
        pass
    return waiting


def test_one_hashes_and_others_wait_until_too_many_do() -> None:
    queue, gate = HashQueue(most=4), Gate()
    waiting = full(queue, gate, 4)
    with pytest.raises(TooManyHashes):
        queue.run(gate)
    gate.opened.set()
    assert [found.result(WAIT_S) for found in waiting] == [7] * 4
    assert gate.most_at_once == 1
    assert queue.run(gate) == 7, "who comes later finds room again"


def test_captions_come_first_on_every_core() -> None:
    queue, gate = HashQueue(), Gate()
    gate.opened.set()
    queue.run(gate)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert gate.niceness == {min(19, HASHING_NICENESS)}
    assert own == 0


def test_a_failure_leaves_no_place_taken() -> None:
    queue = HashQueue(most=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            queue.run(lambda: 1 // 0)


def test_stored_passwords_of_before_still_open(real_hashes: None) -> None:
    before = PBKDF2PasswordHasher().encode("correct horse", "salt", 1_000)
    assert check_password("correct horse", before)
    assert not check_password("wrong", before)
    assert make_password("correct horse").startswith("pbkdf2_sha256$")


@pytest.mark.django_db
def test_every_name_costs_the_same(real_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations or self.iterations)
        return str(encode(self, password, salt, 1))

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    User.objects.create_user("ana", password="correct horse")
    User.objects.update(password=User.objects.get().password.replace("$1$", f"${PBKDF2PasswordHasher.iterations}$"))
    User.objects.create_user("openid-1").set_unusable_password()
    User.objects.create_user("gone", password="correct horse", is_active=False)
    User.objects.filter(username="gone").update(password=User.objects.get(username="ana").password)
    costs = {}
    for name in ("ana", "openid-1", "gone", "nobody"):
        hashed.clear()
        assert Client().post("/login/", {"username": name, "password": "wrong"}).status_code == 200
        costs[name] = list(hashed)
    assert set(map(tuple, costs.values())) == {(PBKDF2PasswordHasher.iterations,)}


@pytest.mark.django_db
@pytest.mark.usefixtures("broker_sync")
def test_a_flood_is_answered_with_when_to_try_again(real_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, gate = HashQueue(most=2), Gate()
    meeting = Meeting.objects.create(title="Budget", link_password=make_password("secret words"))
    waiting = full(queue, gate, 2)
    monkeypatch.setattr(password_hashing, "queue", queue)
    link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
    for path, fields in (
        ("/login/", {"username": "nobody", "password": "x"}),
        ("/admin/login/", {"username": "nobody", "password": "x"}),
        (link, {"password": "x"}),
    ):
        answer = Client().post(path, fields)
        assert (answer.status_code, answer["Retry-After"]) == (503, str(HASHING_RETRY_AFTER_S))
        assert f"Try again in {HASHING_RETRY_AFTER_S} seconds." in answer.content.decode()
    gate.opened.set()
    assert [found.result(WAIT_S) for found in waiting] == [7, 7]
    assert Client().post("/login/", {"username": "nobody", "password": "x"}).status_code == 200
