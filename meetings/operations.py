"""The operators' page in the admin: workers, where their models are, what swaps took, and which meetings are behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import redis
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from inference.audio import SAMPLE_RATE
from inference.residency.history import Outcome
from meetings.audiolog import ACTIVE, STATE_FIELDS, log_state, state_key
from meetings.broker import connect_sync
from meetings.leases import lease_key
from meetings.metrics import WorkerReport, read_reports
from meetings.models import Meeting, Swap

SHOWN_SWAPS = 100
WINDOW = timedelta(days=1)
PERMISSIONS = ("meetings.view_meeting", "meetings.view_swap")


@dataclass(frozen=True, slots=True)
class Backlog:
    """A meeting whose audio log a worker reads, or should."""

    meeting: Meeting
    worker: str
    """Empty: none holds it."""
    phase: str
    """What the worker does beyond captioning live, or empty."""
    behind_s: float


@dataclass(frozen=True, slots=True)
class Floor:
    """What the broker knows now."""

    workers: dict[str, WorkerReport]
    backlogs: list[Backlog]


@never_cache
@require_GET
@permission_required(PERMISSIONS, raise_exception=True)
def operations(request: HttpRequest) -> HttpResponse:
    """One page; as it was when it was asked for."""
    now = timezone.now()
    swaps = Swap.objects.filter(created_at__gte=now - WINDOW)
    context = {
        **admin.site.each_context(request),
        "now": now,
        "floor": _floor(),
        "swaps": swaps[:SHOWN_SWAPS],
        "failures": swaps.exclude(outcome=Outcome.COMPLETED.value)[:SHOWN_SWAPS],
    }
    return render(request, "admin/operations.html", context)


def _floor() -> Floor | None:
    """None: the broker does not answer."""
    try:
        broker = connect_sync()
        return Floor(read_reports(broker), backlogs(broker))
    except (redis.RedisError, OSError):
        return None


def backlogs(broker: redis.Redis) -> list[Backlog]:
    """Of every meeting that is not over, the one that is furthest behind first."""
    active = [_text(member) for member in broker.smembers(ACTIVE)]
    meetings = Meeting.objects.filter(pk__in=active)
    return sorted((_backlog(broker, meeting) for meeting in meetings), key=lambda found: -found.behind_s)


def _backlog(broker: redis.Redis, meeting: Meeting) -> Backlog:
    state = log_state(cast("list[bytes | None]", broker.hmget(state_key(meeting.pk), STATE_FIELDS)))
    captioned = max(state.captioned, meeting.cursor)
    behind_s = round(max(0, state.next_sample - captioned) / SAMPLE_RATE, 1)
    worker = _text(broker.get(lease_key(meeting.pk)) or b"")
    return Backlog(meeting, worker, state.phase, behind_s)


def _text(value: bytes | str) -> str:
    """redis-py types its answers for both kinds of client; ours gives bytes."""
    return value if isinstance(value, str) else value.decode()
