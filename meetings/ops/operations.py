"""The operators' page in the admin: workers, their models, swaps, failures and backlogs.

Two commands can be sent to a worker (`meetings.broker.commands`): restore captioning at once, and put the models to
sleep. Stages that workers have set aside can be retried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import redis
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from inference.audio import SAMPLE_RATE
from inference.models.residency.history import SwapOutcome
from meetings.broker.audio_log import ACTIVE, STATE_FIELDS, log_state, state_key
from meetings.broker.client import connect_sync
from meetings.broker.commands import Command, CommandResult, send
from meetings.broker.incidents import Incident, read_incidents
from meetings.broker.leases import lease_key
from meetings.broker.worker_reports import WorkerReport, read_reports
from meetings.models import Meeting, Swap
from meetings.ops.backlog_chart import backlog_chart
from meetings.ops.swap_charts import swap_timeline, window
from meetings.store import stage_failures

SHOWN_SWAPS = 100
SHOWN_INCIDENTS = 50
CHART_WINDOW = timedelta(days=1)
PERMISSIONS = ("meetings.view_meeting", "meetings.view_swap")
TELLING = (*PERMISSIONS, "meetings.change_meeting")
"""A command to a worker affects all of its meetings."""

RESULT_MESSAGES: dict[CommandResult | None, tuple[int, str]] = {
    CommandResult.RESTORED: (messages.SUCCESS, gettext_noop("Worker %(worker)s: captions are back.")),
    CommandResult.CAPTIONING: (messages.INFO, gettext_noop("Worker %(worker)s: captions were there already.")),
    CommandResult.ASLEEP: (
        messages.SUCCESS,
        gettext_noop("Worker %(worker)s: the models sleep until the first sound."),
    ),
    CommandResult.IN_USE: (
        messages.WARNING,
        gettext_noop("Worker %(worker)s: somebody is being captioned; the models stay awake."),
    ),
    CommandResult.BUSY: (
        messages.WARNING,
        gettext_noop("Worker %(worker)s: a summary is being written, or models are on their way; they stay awake."),
    ),
    CommandResult.FAILED: (
        messages.ERROR,
        gettext_noop("Worker %(worker)s: the models could not be put to sleep; captions are back."),
    ),
    CommandResult.UNDER_WAY: (messages.INFO, gettext_noop("Worker %(worker)s is at it. Look here again in a moment.")),
    None: (messages.ERROR, gettext_noop("Worker %(worker)s does not answer; nothing was done.")),
}
"""Level and sentence for each result of a command."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """A meeting whose audio log a worker reads, or should."""

    meeting: Meeting
    worker: str
    """Empty: no worker holds it."""
    phase: str
    """The worker's phase other than live captioning, or empty."""
    behind_s: float


@dataclass(frozen=True, slots=True)
class Floor:
    """The current state according to the broker."""

    workers: dict[str, WorkerReport]
    backlogs: list[Backlog]
    incidents: list[Incident]


@never_cache
@require_GET
@permission_required(PERMISSIONS, raise_exception=True)
def operations(request: HttpRequest) -> HttpResponse:
    """Render the page; its script loads it again while nobody is busy in it."""
    now = timezone.now()
    swaps = Swap.objects.filter(created_at__gte=now - CHART_WINDOW)
    shown = list(swaps[:SHOWN_SWAPS])
    start, end = window(now, CHART_WINDOW, shown)
    context = {
        **admin.site.each_context(request),
        "now": now,
        "floor": _floor(),
        "may_tell": request.user.has_perms(TELLING),
        "set_aside": stage_failures.set_aside(),
        "backlog": backlog_chart(start=start, end=end),
        "timeline": swap_timeline([swap for swap in shown if swap.gibibytes], start=start, end=end),
        "swaps": shown,
        "failures": swaps.exclude(outcome=SwapOutcome.COMPLETED.value)[:SHOWN_SWAPS],
    }
    return render(request, "admin/operations.html", context)


@never_cache
@require_POST
@permission_required(TELLING, raise_exception=True)
def tell(request: HttpRequest) -> HttpResponse:
    """Send a command to one worker, wait for the result, and redirect to the page with it."""
    worker, wanted = request.POST.get("worker", ""), request.POST.get("order", "")
    try:
        broker = connect_sync()
        if wanted not in set(Command) or worker not in read_reports(broker):
            messages.error(request, _("There is no such worker any more."))
        else:
            level, sentence = RESULT_MESSAGES[send(broker, worker, Command(wanted))]
            messages.add_message(request, level, _(sentence) % {"worker": worker})
    except (redis.RedisError, OSError):
        messages.error(request, _("The broker does not answer: try again."))
    return redirect("operations")


@never_cache
@require_POST
@permission_required(TELLING, raise_exception=True)
def try_again(request: HttpRequest) -> HttpResponse:
    """Retry one meeting that workers have set aside."""
    meeting_id = request.POST.get("meeting", "")
    try:
        connect_sync().ping()  # before the row is deleted
        for found in stage_failures.try_again([meeting_id]):
            connect_sync().sadd(ACTIVE, found)
            messages.success(request, _("The meeting is tried again."))
    except (redis.RedisError, OSError):
        messages.error(request, _("The broker does not answer: try again."))
    return redirect("operations")


def _floor() -> Floor | None:
    """Return the current state; None: the broker does not answer."""
    try:
        broker = connect_sync()
        return Floor(read_reports(broker), backlogs(broker), read_incidents(broker)[:SHOWN_INCIDENTS])
    except (redis.RedisError, OSError):
        return None


def backlogs(broker: redis.Redis) -> list[Backlog]:
    """Return every active meeting, the one furthest behind first."""
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
    """Decode bytes: redis-py types its answers for both kinds of client, and ours returns bytes."""
    return value if isinstance(value, str) else value.decode()
