"""Failed logins, counted by django-axes: by name and address, by address, and by name over all addresses.

An IPv6 address is counted as its /64 network, as a client can use all of it. A name is never locked for every address,
because that would let anyone lock others out; under attack, each address gets fewer attempts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

LOGIN_TRIES = 5
"""Wrong passwords for a name from an address, before the pair is locked."""

LOGIN_TRIES_WHEN_ATTACKED = 1

LOGIN_ATTACKED = 50
"""Wrong passwords for a name from all addresses, after which it counts as attacked."""

TRIES_OF_ADDRESS = 30
"""Wrong passwords from an address for any names; a building full of people may share one."""


class AttemptHandler(AxesDatabaseHandler):
    """Lock addresses in addition to pairs of name and address."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        of_address = AccessAttempt.objects.filter(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
        return failures(of_address) >= TRIES_OF_ADDRESS or bool(super().is_locked(request, credentials))

    def clean_expired_user_attempts(
        self, request: HttpRequest | None = None, credentials: dict[str, Any] | None = None
    ) -> int:
        """Delete expired attempts, but not for locked-out clients, whose requests must not cause writes."""
        if request is not None and getattr(request, "axes_locked_out", False):
            return 0
        return delete_expired(timezone.now())


def tries(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    """Return the wrong passwords allowed for this name from this address (`AXES_FAILURE_LIMIT`)."""
    of_name = AccessAttempt.objects.filter(username=get_client_username(request, credentials))
    return LOGIN_TRIES_WHEN_ATTACKED if failures(of_name) >= LOGIN_ATTACKED else LOGIN_TRIES


def failures(attempts: QuerySet[AccessAttempt]) -> int:
    """Return the number of wrong passwords that still count."""
    counted = attempts.filter(attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME)
    return counted.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


def delete_expired(now: datetime) -> int:
    """Delete expired attempts; return the number of rows."""
    count, _ = AccessAttempt.objects.filter(attempt_time__lt=now - settings.AXES_COOLOFF_TIME).delete()
    return count
