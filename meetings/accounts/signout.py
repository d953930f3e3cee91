"""Revocation at the end of a sign-in, of rights or of a meeting: page tokens become invalid and sockets are closed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from meetings.accounts.page_tokens import SESSION_NAME
from meetings.broker.notify import notify_recheck
from meetings.models import EndedSignIn, Meeting, State

LAST_LOGIN = frozenset({"last_login"})
"""Stored at every login; rights are unaffected."""

MOST_MEETINGS = 1_000
"""Meetings whose sockets are rechecked at once; older ones follow within a minute (`fanout.ADMISSION_S`)."""


@receiver(user_logged_out)
def end_sign_in(sender: Any, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Record the end of the sign-in, then recheck the sockets of the user's meetings."""
    name = request.session.get(SESSION_NAME) if request is not None else None
    if user is None or name is None:
        return
    EndedSignIn.objects.get_or_create(pk=name)
    ask_in(running() if user.is_staff or user.is_superuser else running().filter(owner=user))


@receiver(post_save, sender=User)
def account_changed(instance: User, created: bool, update_fields: frozenset[str] | None, **_: Any) -> None:
    """Recheck sockets after a deactivation or a change of password or rights; any meeting may be affected."""
    if not created and update_fields != LAST_LOGIN:
        transaction.on_commit(lambda: ask_in(running()))


@receiver(post_delete, sender=User)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def rights_changed(action: str = "post_delete", **_: Any) -> None:
    """Recheck sockets after an account is deleted or permissions change."""
    if action.startswith("post_"):
        transaction.on_commit(lambda: ask_in(running()))


@receiver(post_delete, sender=Meeting)
def end_meeting(instance: Meeting, **_: Any) -> None:
    """Recheck the sockets of a deleted meeting, so that they close."""
    meeting_id = instance.pk
    transaction.on_commit(lambda: notify_recheck(meeting_id))


def running() -> QuerySet[Meeting]:
    return Meeting.objects.exclude(state=State.ENDED).order_by("-created_at")


def ask_in(rows: QuerySet[Meeting]) -> None:
    notify_recheck(*rows.values_list("pk", flat=True)[:MOST_MEETINGS])
