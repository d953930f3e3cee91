from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from meetings.models import Meeting

pytestmark = pytest.mark.django_db


def test_a_host_makes_so_many_meetings_a_day(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, meetings_a_day=2))
    user = User.objects.create_user("ana")
    client.force_login(user)
    choices = {"title": "Retro", "language": "en"}
    file = {"language": "en", "name": "a.wav", "size": "9", "modified": "1"}
    assert client.post("/", choices).status_code == 302
    assert client.post("/uploads/", file).status_code == 201
    refused = client.post("/", choices)
    assert refused.status_code == 422
    assert "You have made 2 meetings within a day" in refused.content.decode()
    assert client.post("/uploads/", file).status_code == 429
    other = Client()
    other.force_login(User.objects.create_user("bea"))
    assert other.post("/", choices).status_code == 302, "everybody has their own"
    Meeting.objects.filter(owner=user).update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert client.post("/", choices).status_code == 302
