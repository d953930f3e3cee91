"""What an account may do with a meeting, by what it is and by Django's permissions."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User

from meetings.accounts.rights import READING, Deed, deeds, may, may_with_all
from meetings.models import Meeting

pytestmark = pytest.mark.django_db

EVERYTHING = frozenset(deed.name.lower() for deed in Deed)


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def meeting(owner: User) -> Meeting:
    return Meeting.objects.create(title="Budget", owner=owner)


def clerk(*permissions: str, **fields: bool) -> User:
    user = User.objects.create_user("clerk", **{"is_staff": True, **fields})
    names = [name.partition(".")[2] for name in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=names, content_type__app_label="meetings"))
    return User.objects.get(pk=user.pk)


def test_no_deed_is_another_one_by_accident() -> None:
    assert [deed.name for deed in Deed] == list(Deed.__members__)


def test_a_meeting_of_ones_own_is_for_everything(owner: User, meeting: Meeting) -> None:
    assert deeds(owner, meeting) == EVERYTHING
    assert deeds(User.objects.create_user("eve"), meeting) == frozenset()


def test_a_meeting_of_nobody_is_not_anybodys() -> None:
    meeting = Meeting.objects.create(title="Nobody's")
    assert deeds(AnonymousUser(), meeting) == frozenset()
    assert deeds(User.objects.create_user("eve"), meeting) == frozenset()


def test_who_may_not_sign_in_may_do_nothing(owner: User, meeting: Meeting) -> None:
    root = User.objects.create_superuser("root")
    for user in (owner, root):
        assert may(user, Deed.READ, meeting)
        user.is_active = False
        assert deeds(user, meeting) == frozenset()


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ((), set()),
        (("view_meeting",), {"list"}),
        (("view_caption", "view_summary"), set()),
        (READING, {"list", "read"}),
        ((*READING, "view_speaker"), {"list", "read", "export"}),
        ((*READING, "change_caption"), {"list", "read", "correct_lines"}),
        ((*READING, "change_speaker"), {"list", "read", "correct_speakers"}),
        ((*READING, "change_summary"), {"list", "read", "correct_summaries"}),
        (("view_meeting", "change_meeting"), {"list", "manage"}),
        (("delete_meeting",), set()),
        (Deed.DELETE.value, {"delete"}),
    ],
)
def test_staff_may_do_what_their_permissions_say(
    meeting: Meeting, permissions: tuple[str, ...], allowed: set[str]
) -> None:
    names = [name if "." in name else f"meetings.{name}" for name in permissions]
    assert deeds(clerk(*names), meeting) == allowed


def test_who_speaks_for_a_host_corrects_too(meeting: Meeting) -> None:
    allowed = deeds(clerk(*Deed.SPEAK.value), meeting)
    assert allowed == EVERYTHING - {"export", "delete"}


def test_permissions_of_who_is_not_staff_count_in_no_page(meeting: Meeting) -> None:
    assert deeds(clerk(*READING, is_staff=False), meeting) == frozenset()


def test_a_superuser_needs_no_permission(meeting: Meeting) -> None:
    root = User.objects.create_superuser("root", is_staff=True)
    assert deeds(root, meeting) == EVERYTHING
    assert may_with_all(root, Deed.LIST)
