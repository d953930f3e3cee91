"""A stored transcript and its host; models are imported late, for pytest reads this file before there are settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:
    from meetings.models import Meeting


@pytest.fixture
def meeting(transactional_db: None) -> Meeting:
    """A transcript that is over."""
    from django.contrib.auth.models import User

    from meetings.models import State
    from tests.meetings.weekly import weekly_meeting

    meeting = weekly_meeting()
    meeting.owner = User.objects.create_user("ana")
    meeting.state = State.ENDED
    meeting.save()
    return meeting


@pytest.fixture
def host(meeting: Meeting) -> Client:
    """Of that meeting, signed in."""
    client = Client()
    client.force_login(meeting.owner)  # type: ignore[arg-type]
    return client
