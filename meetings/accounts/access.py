"""Who may open which page of a meeting."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control

from meetings.accounts.passes import are_links_expired, host_pass, is_host_pass, opens_for_readers, reader_pass
from meetings.accounts.tokens import Role, is_meeting_token, meeting_token
from meetings.models import Meeting

DEAD_LINK = gettext_lazy(
    "This link does not open the meeting. It may have been cut short or withdrawn: ask the host for a new one."
)

PASSWORD_FIRST = gettext_lazy("This meeting has a password. Open the link for readers and give it there first.")

private = cache_control(private=True, no_store=True)
"""For every view that shows a token or captions: no shared machine may keep it."""


def find_meeting(meeting_id: str) -> Meeting:
    """The meeting, or a 404 page with a sentence."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        raise Http404(_("There is no such meeting. It may have been deleted, or the link was cut short."))
    return meeting


def is_host(request: HttpRequest, meeting: Meeting) -> bool:
    """The meeting's owner or staff, signed in; or anyone who holds the host link."""
    token = request.GET.get("token", "")
    if is_meeting_token(meeting, "host", token) or is_host_pass(meeting, token):
        return True
    return is_signed_in_host(request, meeting)


def is_signed_in_host(request: HttpRequest, meeting: Meeting) -> bool:
    """The meeting's owner or staff, by their sign-in."""
    return request.user.is_authenticated and (request.user.is_staff or meeting.owner_id == request.user.pk)


def require_host(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied for everyone whom `is_host` does not know."""
    if not is_host(request, meeting):
        raise PermissionDenied(DEAD_LINK)


def require_viewer(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied unless the request holds the viewer link or is the host's."""
    if asks_for_password(request, meeting):
        raise PermissionDenied(PASSWORD_FIRST)
    if not is_reader(request, meeting):
        require_host(request, meeting)


def require_reader(request: HttpRequest, meeting: Meeting) -> None:
    """Raises PermissionDenied for who may not open the page of the transcript, or hear the recording there."""
    require_viewer(request, meeting)
    if not meeting.allow_transcript and not is_host(request, meeting):
        raise PermissionDenied(_("The host of this meeting does not show its transcript."))


def asks_for_password(request: HttpRequest, meeting: Meeting) -> bool:
    """Whether the request has a living link and is still to give the password."""
    has_link = is_meeting_token(meeting, "join", request.GET.get("token", "")) and not are_links_expired(meeting)
    return has_link and bool(meeting.link_password) and not (is_reader(request, meeting) or is_host(request, meeting))


def is_reader(request: HttpRequest, meeting: Meeting) -> bool:
    """Whoever has the link, and where it asks for a password, has given it: the cookie of `remember_reader` says so."""
    held = (request.GET.get("token", ""), request.COOKIES.get(reader_cookie(meeting), ""))
    return any(opens_for_readers(meeting, token) for token in held if token)


def reader_cookie(meeting: Meeting) -> str:
    return f"reader-{meeting.pk}"


def remember_reader(response: HttpResponseBase, meeting: Meeting) -> None:
    """Lets this browser read the meeting until it is closed, or the password changes."""
    response.set_cookie(
        reader_cookie(meeting),
        reader_pass(meeting),
        path=reverse("viewer", args=[meeting.pk]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def socket_token(request: HttpRequest, meeting: Meeting, role: Role) -> str:
    """What a page that the request may open opens its socket with.

    Who is signed in gets a pass that ends with the sign-in; who came by the host's link that link's token.
    """
    if is_signed_in_host(request, meeting):
        return host_pass(meeting, request)
    return meeting_token(meeting, "host") if role == "host" else reader_pass(meeting)
