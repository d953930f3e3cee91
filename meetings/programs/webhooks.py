"""Webhooks: what is told to whom, signed, and tried again until it is taken or given up.

Signatures are those of Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
A message says what is ready and where, never what was said.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from meetings.accounts.models import Delivery, Webhook
from meetings.models import Meeting
from meetings.programs.public_addresses import ForbiddenAddress, post

Event = Literal["meeting.ready", "summary.ready"]

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 300, 1_800, 7_200, 28_800, 86_400))
"""After the first, second, … attempt that failed; after the last of them no more is made."""

CLAIMED = timedelta(minutes=5)
"""Longer than an attempt can take."""

KEPT = timedelta(days=14)
"""How long what became of a delivery can be read."""


def announce(meeting: Meeting, event: Event) -> int:
    """Notes a delivery to every webhook of the meeting's owner, in the caller's transaction; says how many.

    What is gone when it is ready, and what nobody owns, is told to nobody.
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
    hooks = Webhook.objects.filter(user_id=meeting.owner_id, user__is_active=True)
    return len(Delivery.objects.bulk_create([Delivery(webhook=hook, event=event, body=body) for hook in hooks]))


def due(*, limit: int) -> list[Delivery]:
    """Deliveries whose next attempt is due, the oldest first."""
    rows = Delivery.objects.filter(next_at__lte=timezone.now()).select_related("webhook")
    return list(rows.order_by("next_at", "pk")[:limit])


def claim(delivery: Delivery) -> bool:
    """Whether it is ours to send: of several workers one gets it; should that one die, it is due again soon."""
    again = timezone.now() + CLAIMED
    return bool(Delivery.objects.filter(pk=delivery.pk, next_at=delivery.next_at).update(next_at=again))


def attempt(delivery: Delivery) -> bool:
    """Sends it once, and stores what came of it; says whether it was taken."""
    now = timezone.now()
    failure = _send(delivery, now)
    attempts = delivery.attempts + 1
    pause = PAUSES[attempts - 1] if failure and attempts <= len(PAUSES) else None
    Delivery.objects.filter(pk=delivery.pk).update(
        attempts=F("attempts") + 1,
        next_at=now + pause if pause else None,
        delivered_at=None if failure else now,
        failure=failure[:200],
    )
    return not failure


def forget_old() -> None:
    Delivery.objects.filter(next_at=None, created_at__lt=timezone.now() - KEPT).delete()


def signature(secret: str, delivery_id: str, seconds: int, body: str) -> str:
    """`v1,` and the base64 of the HMAC over `<id>.<seconds since 1970>.<body>`."""
    key = base64.urlsafe_b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery_id}.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def _send(delivery: Delivery, now: datetime) -> str:
    """Why it was not taken; empty: it was."""
    hook, name, seconds = delivery.webhook, f"msg_{delivery.pk}", int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Parlance",
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(hook.secret, name, seconds, delivery.body),
    }
    try:
        is_private_allowed = settings.ENVIRONMENT.private_webhooks
        status = post(hook.url, delivery.body.encode(), headers, is_private_allowed=is_private_allowed)
    except (ForbiddenAddress, OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return "" if 200 <= status < 300 else f"The answer was {status}."
