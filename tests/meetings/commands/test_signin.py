"""`manage.py signin`, and what `manage.py live` says of links when it is ready."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from meetings.management.cli import BAD_INPUT
from meetings.management.commands.live import framed, welcome

pytestmark = pytest.mark.django_db

BASE = "http://127.0.0.1:8000"


def signin(*arguments: str) -> str:
    output = StringIO()
    call_command("signin", *arguments, stdout=output)
    return output.getvalue().strip()


def test_it_prints_a_link_that_signs_in_the_administrator() -> None:
    client = Client()
    link = signin()
    assert link.startswith(f"{BASE}/sign-in/")
    assert client.get(link.removeprefix(BASE)).status_code == 302
    assert client.get("/admin/").context["user"].get_username() == "host"


def test_it_prints_one_for_whoever_is_named() -> None:
    User.objects.create_user("ana")
    client = Client()
    client.get(signin("--user", "ana").removeprefix(BASE))
    assert client.get("/").context["user"].get_username() == "ana"
    assert not User.objects.filter(is_superuser=True).exists()


@pytest.mark.parametrize("name", ["nobody", "gone"])
def test_who_may_not_sign_in_gets_none(name: str) -> None:
    User.objects.create_user("gone", is_active=False)
    with pytest.raises(CommandError, match=f"There is no account {name} that may sign in") as refused:
        signin("--user", name)
    assert refused.value.returncode == BAD_INPUT


def test_it_leads_to_where_live_listens_and_people_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(settings.ENVIRONMENT.data) / "address"
    place.write_text("http://127.0.0.1:8123")
    try:
        assert signin().startswith("http://127.0.0.1:8123/sign-in/")
        public = replace(settings.ENVIRONMENT, https=True, trusted_origins=["https://captions.example.org"])
        monkeypatch.setattr(settings, "ENVIRONMENT", public)
        assert signin().startswith("https://captions.example.org/sign-in/")
    finally:
        place.unlink()


def test_the_address_is_framed_for_people_and_plain_for_programs() -> None:
    text = "Parlance is ready at x\nSign in there."
    assert framed(text, is_terminal=False) == text
    assert framed(text, is_terminal=True).splitlines() == ["", "─" * 22, *text.splitlines(), "─" * 22]


def test_live_prints_a_link_until_somebody_has_signed_in() -> None:
    for _ in range(2):
        ready, link = welcome(settings.ENVIRONMENT, BASE).splitlines()
        assert ready == f"Parlance is ready at {BASE}"
        assert link.startswith(f"Sign in once with {BASE}/sign-in/")
    Client().get(link.removeprefix(f"Sign in once with {BASE}"))
    assert welcome(settings.ENVIRONMENT, BASE).splitlines() == [
        ready,
        "Sign in there; `manage.py signin` prints a one-time link for who has no password.",
    ]
