"""Views of the sample: a button that has it captioned, and the page on which to read it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import structlog
from channels.db import database_sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from redis.exceptions import RedisError

from meetings import supervise
from meetings.accounts.access import private
from meetings.accounts.link_tokens import meeting_token
from meetings.broker.client import connect, connect_sync
from meetings.models import Meeting
from meetings.web import sample

log = structlog.get_logger(__name__)

_speaking: set[asyncio.Task[None]] = set()
"""References to running tasks; the event loop holds only weak ones, so they could be garbage collected."""


@private
@require_POST
async def try_sample(request: HttpRequest) -> HttpResponseBase:
    """Start the sample in a new meeting, and redirect to its viewer page."""
    answer, meeting_id = await _begin(request)
    if meeting_id:
        task = asyncio.create_task(_speak(meeting_id))
        _speaking.add(task)
        task.add_done_callback(_speaking.discard)
    return answer


@database_sync_to_async
def _begin(request: HttpRequest) -> tuple[HttpResponseBase, str]:
    """Return the response, and the id of the meeting to play into; empty: none."""
    if request.user.pk is None:
        return redirect_to_login(reverse("meetings")), ""
    try:
        meeting = sample.begin(request.user.pk, connect_sync())
    except sample.SamplePlaying as playing:
        return _playing(request, playing.meeting_id), ""
    except sample.TooManySamples:
        return _refused(request, _("The sample was played often enough for now: try again in an hour."), 429), ""
    except (RedisError, OSError):
        return _refused(request, _("The sample cannot be played now: the broker does not answer."), 503), ""
    return redirect(_viewer_address(meeting)), meeting.pk


def _playing(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Redirect its owner to the running sample; ask others to wait."""
    meeting = Meeting.objects.filter(pk=meeting_id, owner_id=request.user.pk).first()
    if meeting is not None:
        return redirect(_viewer_address(meeting))
    return _refused(request, _("Somebody else is trying the sample at this moment: try again in a minute."), 429)


def _refused(request: HttpRequest, sentence: str, status: int) -> HttpResponseBase:
    return render(request, "meetings/refused.html", {"sentence": sentence}, status=status)


def _viewer_address(meeting: Meeting) -> str:
    """Return the address for the translation, with the original next to it."""
    query = {"token": meeting_token(meeting, "join")}
    if meeting.languages:
        query |= {"lang": meeting.languages[0], "original": "1"}
    return f"{reverse('viewer', args=[meeting.pk])}?{urlencode(query)}"


async def _speak(meeting_id: str) -> None:
    broker = connect()
    done = await supervise.contained(lambda: sample.speak(meeting_id, broker))
    if done.error is not None:
        log.error("sample_broken_off", meeting=meeting_id, where=supervise.where(done.error))
    await broker.aclose()
