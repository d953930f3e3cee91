"""The end of a sign-in or of a meeting: what its pages hold is dead, and their sockets are closed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest

from meetings.accounts.models import EndedSignIn
from meetings.accounts.passes import SESSION_NAME
from meetings.models import Meeting, State
from meetings.sockets.bell import ask_again

MOST_MEETINGS = 1_000
"""Whose sockets are asked at once; those of older ones are within a minute (`broadcast.ADMISSION_S`)."""


@receiver(user_logged_out)
def end_sign_in(sender: Any, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Notes that the sign-in is over, then has the sockets of the user's meetings asked what they came in with."""
    name = request.session.get(SESSION_NAME) if request is not None else None
    if user is None or name is None:
        return
    EndedSignIn.objects.get_or_create(pk=name)
    rows = Meeting.objects.exclude(state=State.ENDED)
    rows = rows if user.is_staff else rows.filter(owner=user)
    ask_again(*rows.order_by("-created_at").values_list("pk", flat=True)[:MOST_MEETINGS])


@receiver(post_delete, sender=Meeting)
def end_meeting(instance: Meeting, **_: Any) -> None:
    """Has the sockets of a deleted meeting find out that it is gone."""
    meeting_id = instance.pk
    transaction.on_commit(lambda: ask_again(meeting_id))
