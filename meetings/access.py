"""Who may open which page of a meeting."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from meetings.models import Meeting
from meetings.tokens import is_meeting_token

DEAD_LINK = gettext_lazy(
    "This link does not open the meeting. It may have been cut short or withdrawn: ask the host for a new one."
)


def find_meeting(meeting_id: str) -> Meeting:
    """The meeting, or a 404 page with a sentence."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        raise Http404(_("There is no such meeting. It may have been deleted, or the link was cut short."))
    return meeting


def is_host(request: HttpRequest, meeting: Meeting) -> bool:
    """The meeting's owner or staff, signed in; or anyone who holds the host link."""
    if is_meeting_token(meeting, "host", request.GET.get("token", "")):
        return True
    return request.user.is_authenticated and (request.user.is_staff or meeting.owner_id == request.user.pk)


def require_host(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied for everyone whom `is_host` does not know."""
    if not is_host(request, meeting):
        raise PermissionDenied(DEAD_LINK)


def require_viewer(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied unless the request holds the viewer link or is the host's."""
    if not is_meeting_token(meeting, "join", request.GET.get("token", "")):
        require_host(request, meeting)


def require_reader(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied for who may not open the page of the transcript, or hear the recording there."""
    require_viewer(request, meeting)
    if not meeting.allow_transcript and not is_host(request, meeting):
        raise PermissionDenied(_("The host of this meeting does not show its transcript."))
