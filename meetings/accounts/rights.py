"""What an account may do with a meeting: everything with its own; with those of others, what Django's permissions say.

The pages outside the admin ask here, so that a permission means the same on both sides.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser, User

from meetings.models import Meeting

Account: TypeAlias = User | AnonymousUser

READING = ("meetings.view_meeting", "meetings.view_caption", "meetings.view_summary")
"""Permissions for everything that was said, wherever it is shown."""


class Deed(Enum):
    """What pages and sockets let somebody do; the value is the permissions that staff need for it."""

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
    """All that the host's page and socket can do."""
    CORRECT_LINES = (*READING, "meetings.change_caption")
    CORRECT_SPEAKERS = (*READING, "meetings.change_speaker")
    CORRECT_SUMMARIES = (*READING, "meetings.change_summary")
    MANAGE = ("meetings.view_meeting", "meetings.change_meeting")
    """Set its links; go on with its upload."""
    DELETE = (
        "meetings.delete_meeting",
        "meetings.delete_caption",
        "meetings.delete_speaker",
        "meetings.delete_summary",
    )
    """As in the admin."""


BY_LINK = frozenset({Deed.READ, Deed.SPEAK, Deed.CORRECT_LINES, Deed.CORRECT_SPEAKERS, Deed.CORRECT_SUMMARIES})
"""What the host's link is for, too."""


def may(user: Account, deed: Deed, meeting: Meeting) -> bool:
    """Return whether the account may do it with this meeting."""
    is_owner = user.is_authenticated and user.is_active and meeting.owner_id == user.pk
    return is_owner or may_with_all(user, deed)


def may_with_all(user: Account, deed: Deed) -> bool:
    """Return whether the account may do it with everybody's meetings: staff by their permissions, superusers always."""
    return user.is_active and (user.is_staff or user.is_superuser) and user.has_perms(deed.value)


def deeds(user: Account, meeting: Meeting) -> frozenset[str]:
    """Return the names of everything that the account may do with the meeting, for a template."""
    return frozenset(deed.name.lower() for deed in Deed if may(user, deed, meeting))
