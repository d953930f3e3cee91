"""Rights of an account over a meeting: all over its own; over those of others, Django's permissions.

Pages outside the admin check here, so that a permission means the same in both.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser, User

from meetings.models import Meeting

Account: TypeAlias = User | AnonymousUser

READING = ("meetings.view_meeting", "meetings.view_caption", "meetings.view_summary")
"""Permissions to read everything that was said, wherever it is shown."""


class Deed(Enum):
    """Actions on pages and sockets; the value is the permissions that staff need."""

    LIST = ("meetings.view_meeting",)
    READ = READING
    EXPORT = (*READING, "meetings.view_speaker")
    SPEAK = (
        *READING,
        "meetings.change_meeting",
        "meetings.change_caption",
        "meetings.change_speaker",
        "meetings.change_summary",
    )
    """Everything that the host's page and socket can do."""
    CORRECT_LINES = (*READING, "meetings.change_caption")
    CORRECT_SPEAKERS = (*READING, "meetings.change_speaker")
    CORRECT_SUMMARIES = (*READING, "meetings.change_summary")
    MANAGE = ("meetings.view_meeting", "meetings.change_meeting")
    """Set the meeting's links; resume its upload."""
    DELETE = (
        "meetings.delete_meeting",
        "meetings.delete_caption",
        "meetings.delete_speaker",
        "meetings.delete_summary",
    )
    """As in the admin."""


BY_LINK = frozenset({Deed.READ, Deed.SPEAK, Deed.CORRECT_LINES, Deed.CORRECT_SPEAKERS, Deed.CORRECT_SUMMARIES})
"""Deeds that the host's link allows too."""


def may(user: Account, deed: Deed, meeting: Meeting) -> bool:
    """Return whether the account may do it with this meeting."""
    is_owner = user.is_authenticated and user.is_active and meeting.owner_id == user.pk
    return is_owner or may_with_all(user, deed)


def may_with_all(user: Account, deed: Deed) -> bool:
    """Return whether the account may do it with all meetings: staff by their permissions, superusers always."""
    return user.is_active and (user.is_staff or user.is_superuser) and user.has_perms(deed.value)


def deeds(user: Account, meeting: Meeting) -> frozenset[str]:
    """Return the names of all deeds that the account may do with the meeting, for a template."""
    return frozenset(deed.name.lower() for deed in Deed if may(user, deed, meeting))
