"""Webhook deliveries as rows: written with what they announce, claimed by a worker, retried until taken or given up.

A message says what is ready and where, never what was said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import structlog
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from meetings.models import Delivery, Meeting, Webhook

log = structlog.get_logger(__name__)

Event = Literal["meeting.ready", "summary.ready"]

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 300, 1_800, 7_200, 28_800, 86_400))
"""After the first, second, … attempt that failed."""

MAX_ATTEMPTS = len(PAUSES) + 1
CLAIM_TTL = timedelta(minutes=1)
"""Longer than an attempt can take (`public_addresses.DEADLINE_S`)."""

DELIVERY_KEPT = timedelta(days=14)
"""How long what became of a delivery can be read."""

MAX_WEBHOOKS = 20
"""Of one user."""

MAX_WAITING = 1_000
"""Deliveries of one user that are not over."""

MAX_FAILURE = 200


def announce(meeting: Meeting, event: Event) -> int:
    """Note a delivery to every webhook of the meeting's owner, in the caller's transaction; return how many.

    What is gone when it is ready, and what nobody owns, is told to nobody. Nor is what comes when MAX_WAITING
    deliveries of the owner wait already.
    """
    if meeting.owner_id is None or meeting.is_ephemeral:
        return 0
    body = json.dumps(
        {
            "type": event,
            "timestamp": timezone.now().isoformat(),
            "data": {"meeting": meeting.pk, "title": meeting.title, "path": f"/m/{meeting.pk}/transcript.json"},
        },
        ensure_ascii=False,
    )
    hooks = list(Webhook.objects.filter(user_id=meeting.owner_id, user__is_active=True))
    if not hooks:
        return 0
    room = max(0, MAX_WAITING - waiting(meeting.owner_id))
    if room < len(hooks):
        log.warning("webhooks_left_out", user=meeting.owner_id, left_out=len(hooks) - room)
    made = Delivery.objects.bulk_create([Delivery(webhook=hook, event=event, body=body) for hook in hooks[:room]])
    return len(made)


def waiting(user_id: int) -> int:
    """How many deliveries of the user are not over."""
    return Delivery.objects.filter(webhook__user_id=user_id, next_at__isnull=False).count()


def due(*, limit: int, per_user: int, busy: Mapping[int, int]) -> list[Delivery]:
    """Return deliveries whose next attempt is due, the oldest first, and of every user one before another's second.

    `busy` says how many of a user are being sent now: with those there are `per_user` of each at most.
    """
    full = [user_id for user_id, count in busy.items() if count >= per_user]
    place = Window(RowNumber(), partition_by=F("webhook__user_id"), order_by=(F("next_at").asc(), F("pk").asc()))
    rows = Delivery.objects.filter(next_at__lte=timezone.now(), webhook__user__is_active=True)
    rows = rows.exclude(webhook__user_id__in=full).annotate(place=place).filter(place__lte=per_user)
    taken: list[Delivery] = []
    counts = Counter(busy)
    for delivery in rows.select_related("webhook").order_by("place", "next_at", "pk")[: limit + sum(busy.values())]:
        if len(taken) < limit and counts[delivery.webhook.user_id] < per_user:
            counts[delivery.webhook.user_id] += 1
            taken.append(delivery)
    return taken


def claim(delivery: Delivery) -> bool:
    """Whether it is ours to send: of several workers one gets it.

    The attempt is counted before it is made. A worker that dies of it leaves it due again in a minute, with fewer
    attempts left.
    """
    mine = Delivery.objects.filter(pk=delivery.pk, next_at=delivery.next_at)
    return bool(mine.update(next_at=timezone.now() + CLAIM_TTL, attempts=F("attempts") + 1))


def record_outcome(delivery: Delivery, failure: str) -> None:
    """Store what came of a claimed delivery; the next attempt is due after a pause, if there is one."""
    attempts, now = delivery.attempts + 1, timezone.now()
    pause = PAUSES[attempts - 1] if failure and attempts < MAX_ATTEMPTS else None
    Delivery.objects.filter(pk=delivery.pk, delivered_at=None).update(
        next_at=now + pause if pause else None,
        delivered_at=None if failure else now,
        failure=failure[:MAX_FAILURE],
    )
    if failure and pause is None:
        log.warning("webhook_given_up", delivery=delivery.pk, attempts=min(attempts, MAX_ATTEMPTS))
    else:
        log.info("webhook_sent", delivery=delivery.pk, attempts=attempts, taken=not failure)


def delete_old(*, limit: int) -> int:
    """Delete deliveries older than KEPT, at most `limit`; return how many."""
    old = (
        Delivery.objects.filter(created_at__lt=timezone.now() - DELIVERY_KEPT)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    deleted, _ = Delivery.objects.filter(pk__in=list(old[:limit])).delete()
    return deleted
