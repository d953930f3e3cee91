"""Limit on the meetings and recordings that one host may create per day."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from meetings.models import Meeting


def why_over_quota(owner_id: int | None) -> str:
    """Return why this host may not create more meetings now, as a sentence; empty: allowed."""
    most: int = settings.ENVIRONMENT.meetings_a_day
    since = timezone.now() - timedelta(days=1)
    if Meeting.objects.filter(owner_id=owner_id, created_at__gt=since).count() < most:
        return ""
    return _("You have made %(count)d meetings within a day, the most that are allowed here.") % {"count": most}
