"""Send a webhook delivery, signed as Standard Webhooks 1.0 (https://www.standardwebhooks.com) defines it.

The signature is an HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from meetings.models import Delivery
from meetings.safe_http import ForbiddenAddress, NotReached, post
from meetings.store.webhooks import MAX_DELIVERY_ATTEMPTS


async def send(delivery: Delivery) -> str:
    """Send a claimed delivery once; return the failure, or an empty string."""
    if delivery.attempts >= MAX_DELIVERY_ATTEMPTS:
        return delivery.failure or "The server ended during the last attempt."
    now = timezone.now()
    hook, is_private_allowed = delivery.webhook, settings.ENVIRONMENT.private_webhooks
    try:
        headers = _headers(delivery, now)
        status = await post(hook.url, delivery.body.encode(), headers, is_private_allowed=is_private_allowed)
    except (ForbiddenAddress, NotReached) as error:
        return str(error)
    return "" if 200 <= status < 300 else f"The answer was {status}."


def signature(secret: str, delivery_id: str, seconds: int, body: str) -> str:
    """Return `v1,` and the base64 of the HMAC over `<id>.<seconds since 1970>.<body>`."""
    key = base64.urlsafe_b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery_id}.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def _headers(delivery: Delivery, now: datetime) -> dict[str, str]:
    name, seconds = f"msg_{delivery.pk}", int(now.timestamp())
    return {
        "Content-Type": "application/json",
        "User-Agent": "Parlance",
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(delivery.webhook.secret, name, seconds, delivery.body),
    }
