"""Access to the pages of a meeting."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control

from meetings.accounts.link_tokens import Role, is_meeting_token, meeting_token
from meetings.accounts.page_tokens import SOCKET_DEEDS, are_links_expired, host_pass, opens_for_readers, reader_pass
from meetings.accounts.rights import BY_LINK, Deed, may
from meetings.models import Meeting

DEAD_LINK = gettext_lazy(
    "This link does not open the meeting. It may have been cut short or withdrawn: ask the host for a new one."
)

PASSWORD_FIRST = gettext_lazy("This meeting has a password. Open the viewers' link and enter the password there first.")

private = cache_control(private=True, no_store=True)
"""For every view that shows a token or captions: shared caches must not store it."""


def find_meeting(meeting_id: str) -> Meeting:
    """Return the meeting. Raises Http404 with a sentence for people."""
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is None:
        raise Http404(_("There is no such meeting. It may have been deleted, or the link was cut short."))
    return meeting


def may_do(request: HttpRequest, deed: Deed, meeting: Meeting) -> bool:
    """Return whether the sign-in or the host's link in the address allows the deed."""
    return may(request.user, deed, meeting) or (deed in BY_LINK and holds_host_link(request, meeting))


def holds_host_link(request: HttpRequest, meeting: Meeting) -> bool:
    """Return whether the address is the host's link. Passes work on sockets only, because addresses get passed on."""
    return is_meeting_token(meeting, "host", request.GET.get("token", ""))


def require(request: HttpRequest, deed: Deed, meeting: Meeting) -> None:
    """Raise PermissionDenied unless `may_do`."""
    if not may_do(request, deed, meeting):
        raise PermissionDenied(DEAD_LINK)


def require_viewer(request: HttpRequest, meeting: Meeting) -> None:
    """Raise PermissionDenied unless the request is from a reader, or from a user who may read without the link."""
    if asks_for_password(request, meeting):
        raise PermissionDenied(PASSWORD_FIRST)
    if not is_reader(request, meeting):
        require(request, Deed.READ, meeting)


def require_reader(request: HttpRequest, meeting: Meeting) -> None:
    """Raise PermissionDenied unless the request may open the transcript page and play the recording there."""
    require_viewer(request, meeting)
    if not meeting.allow_transcript and not may_do(request, Deed.READ, meeting):
        raise PermissionDenied(_("The host of this meeting does not show its transcript."))


def asks_for_password(request: HttpRequest, meeting: Meeting) -> bool:
    """Return whether the request has a valid link but has not given the password yet."""
    tokens = (request.GET.get("token", ""), request.COOKIES.get(link_cookie(meeting), ""))
    has_link = any(is_meeting_token(meeting, "join", one) for one in tokens) and not are_links_expired(meeting)
    is_in = is_reader(request, meeting) or may_do(request, Deed.READ, meeting)
    return has_link and bool(meeting.link_password) and not is_in


def is_reader(request: HttpRequest, meeting: Meeting) -> bool:
    """Return whether the request has the link, or one of the cookies of `remember_reader` and `remember_link`."""
    by_link = not meeting.link_password and opens_for_readers(meeting, request.GET.get("token", ""))
    return by_link or has_reader_cookie(request, meeting)


def has_reader_cookie(request: HttpRequest, meeting: Meeting) -> bool:
    """With a password, the link's token opens nothing for readers, in a cookie either."""
    names = (reader_cookie(meeting), link_cookie(meeting))
    return any(opens_for_readers(meeting, request.COOKIES.get(name, "")) for name in names)


def reader_cookie(meeting: Meeting) -> str:
    return f"reader-{meeting.pk}"


def link_cookie(meeting: Meeting) -> str:
    return f"link-{meeting.pk}"


def remember_reader(response: HttpResponseBase, meeting: Meeting) -> None:
    """Let this browser read the meeting until it is closed or the password changes."""
    _remember(response, meeting, reader_cookie(meeting), reader_pass(meeting))


def remember_link(response: HttpResponseBase, meeting: Meeting) -> None:
    """Let this browser open the meeting as with the viewer link, until it is closed or the links are replaced."""
    _remember(response, meeting, link_cookie(meeting), meeting_token(meeting, "join"))


def _remember(response: HttpResponseBase, meeting: Meeting, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        path=reverse("viewer", args=[meeting.pk]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def socket_token(request: HttpRequest, meeting: Meeting, role: Role) -> str:
    """Return the token with which the page opens its socket.

    A user with the right gets a pass that ends with the sign-in; others get the token of the link, or with a password a
    reader's pass.
    """
    if may(request.user, SOCKET_DEEDS[role], meeting):
        return host_pass(meeting, request)
    return meeting_token(meeting, "host") if role == "host" else reader_pass(meeting)


def link_token(request: HttpRequest, meeting: Meeting) -> str:
    """Return the token that the page's own addresses need; empty: a cookie suffices.

    It is that of the link that opened the page, never a pass, because addresses are copied, stored and printed.
    """
    if holds_host_link(request, meeting):
        return "" if may(request.user, Deed.SPEAK, meeting) else request.GET["token"]
    is_known = may(request.user, Deed.READ, meeting) or has_reader_cookie(request, meeting)
    return "" if is_known else request.GET.get("token", "")


def link_query(request: HttpRequest, meeting: Meeting) -> str:
    """Return `link_token` as a query string."""
    token = link_token(request, meeting)
    return f"?{urlencode({'token': token})}" if token else ""
