"""What middleware does to every page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from meetings.models import Meeting

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Tokyo", "Nov. 30, 2026, 4:14 a.m."),
        ("", "Nov. 29, 2026, 7:14 p.m."),
        ("../etc/passwd", "Nov. 29, 2026, 7:14 p.m."),
        ("x" * 5_000, "Nov. 29, 2026, 7:14 p.m."),
    ],
    ids=["known", "none", "a path", "long"],
)
def test_the_admin_shows_times_in_the_readers_zone(admin_client: Client, zone: str, shown: str) -> None:
    meeting = Meeting.objects.create(title="Planning")
    Meeting.objects.filter(pk=meeting.pk).update(created_at=datetime(2026, 11, 29, 19, 14, tzinfo=UTC))
    admin_client.cookies["timezone"] = zone
    assert shown in admin_client.get("/admin/meetings/meeting/").content.decode()
