"""Webhook deliveries as rows: written together with the event, claimed by a worker, retried until accepted or given up.

A message says what is ready and where, never what was said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import structlog
from django.conf import settings
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from meetings.models import Delivery, Meeting, Webhook

log = structlog.get_logger(__name__)

Event = Literal["meeting.ready", "summary.ready"]

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 300, 1_800, 7_200, 28_800, 86_400))
"""After the first, second, … failed attempt."""

MAX_DELIVERY_ATTEMPTS = len(PAUSES) + 1
DELIVERY_CLAIM_TTL = timedelta(minutes=1)
"""Longer than an attempt can take (`meetings.safe_http.DEADLINE_S`)."""

DELIVERY_KEPT = timedelta(days=14)
"""How long the outcome of a delivery can be read."""

MAX_WEBHOOKS = 20
"""Per user."""

MAX_WAITING_DELIVERIES = 1_000
"""Unfinished deliveries per user."""

MAX_FAILURE = 200


def announce(meeting: Meeting, event: Event) -> int:
    """Add a delivery for every webhook of the meeting's owner, in the caller's transaction; return how many.

    Ephemeral meetings and meetings without an owner are not announced, nor are events while MAX_WAITING deliveries of
    the owner are waiting.
    """
    if meeting.owner_id is None or meeting.is_ephemeral:
        return 0
    body = json.dumps(
        {
            "type": event,
            "timestamp": timezone.now().isoformat(),
            "data": {"meeting": meeting.pk, "title": meeting.title, "path": _transcript_path(meeting.pk)},
        },
        ensure_ascii=False,
    )
    hooks = list(Webhook.objects.filter(user_id=meeting.owner_id, user__is_active=True))
    if not hooks:
        return 0
    room = max(0, MAX_WAITING_DELIVERIES - waiting(meeting.owner_id))
    if room < len(hooks):
        log.warning("webhooks_left_out", user=meeting.owner_id, left_out=len(hooks) - room)
    made = Delivery.objects.bulk_create([Delivery(webhook=hook, event=event, body=body) for hook in hooks[:room]])
    return len(made)


def _transcript_path(meeting_id: str) -> str:
    return f"{settings.ENVIRONMENT.base_path}/m/{meeting_id}/transcript.json"


def waiting(user_id: int) -> int:
    """Return the number of unfinished deliveries of the user."""
    return Delivery.objects.filter(webhook__user_id=user_id, next_at__isnull=False).count()


def due(*, limit: int, per_user: int, busy: Mapping[int, int]) -> list[Delivery]:
    """Return due deliveries, oldest first, one of every user before a second one of any.

    `busy` holds the deliveries in progress by user; including those, each user gets at most `per_user`.
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
    """Claim the delivery; one of several workers gets it.

    The attempt is counted before it is made. If it kills the worker, the delivery is due again in a minute, with fewer
    attempts left.
    """
    mine = Delivery.objects.filter(pk=delivery.pk, next_at=delivery.next_at)
    return bool(mine.update(next_at=timezone.now() + DELIVERY_CLAIM_TTL, attempts=F("attempts") + 1))


def record_outcome(delivery: Delivery, failure: str) -> None:
    """Store the outcome of a claimed delivery and schedule the next attempt, if there is one."""
    attempts, now = delivery.attempts + 1, timezone.now()
    pause = PAUSES[attempts - 1] if failure and attempts < MAX_DELIVERY_ATTEMPTS else None
    Delivery.objects.filter(pk=delivery.pk, delivered_at=None).update(
        next_at=now + pause if pause else None,
        delivered_at=None if failure else now,
        failure=failure[:MAX_FAILURE],
    )
    if failure and pause is None:
        log.warning("webhook_given_up", delivery=delivery.pk, attempts=min(attempts, MAX_DELIVERY_ATTEMPTS))
    else:
        log.info("webhook_sent", delivery=delivery.pk, attempts=attempts, taken=not failure)


def delete_old(*, limit: int) -> int:
    """Delete deliveries older than DELIVERY_KEPT, at most `limit`; return how many."""
    old = (
        Delivery.objects.filter(created_at__lt=timezone.now() - DELIVERY_KEPT)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    deleted, _ = Delivery.objects.filter(pk__in=list(old[:limit])).delete()
    return deleted
