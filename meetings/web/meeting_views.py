"""Views of meetings: the list, the host page, the viewer page, and what they link to."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inference.audio import SAMPLE_RATE
from meetings.accounts.access import (
    asks_for_password,
    find_meeting,
    link_query,
    may_do,
    private,
    require,
    require_viewer,
    socket_token,
)
from meetings.accounts.join_codes import is_open, join_code
from meetings.accounts.link_tokens import Role, meeting_token, storage_key
from meetings.accounts.rights import Deed, may
from meetings.accounts.signin import user_of_link
from meetings.export.cues import NotTranslated, UnknownLanguage
from meetings.export.formats import FORMATS, render_transcript
from meetings.languages import language_code
from meetings.models import Meeting, State
from meetings.store import quotas
from meetings.store.uploads import is_upload
from meetings.web.link_views import password_page
from meetings.web.meeting_forms import MeetingForm
from meetings.web.meeting_list import MAX_QUERY, SHOWN, find_meetings, list_meetings
from meetings.web.qr import qr_svg

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

MEETINGS_A_PAGE = 50
"""In the list of meetings."""

SEARCH_FROM = 10
"""Meetings; fewer are seen at a glance."""

FIRST_STEPS_COOKIE = "first-steps"
FIRST_STEPS_HIDDEN_S = 400 * 86_400
"""No browser keeps a cookie for longer."""


@login_required
@private
@require_http_methods(["GET", "POST"])
def meetings(request: HttpRequest) -> HttpResponseBase:
    """List the host's meetings, with the form for a new one."""
    form = MeetingForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and (sentence := quotas.why_over_quota(request.user.pk)):
        form.add_error("title", sentence)
    if request.method == "POST" and form.is_valid():
        form.instance.owner_id = request.user.pk
        return redirect("host", form.save().pk)
    query, shown = request.GET.get("q", "").replace("\0", "")[:MAX_QUERY], request.GET.get("state", "")
    page = Paginator(find_meetings(request.user, query, shown), MEETINGS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "meetings": list_meetings(request.user, page),
        "page": page,
        "query": query,
        "shown": shown,
        "states": SHOWN,
        "has_search": bool(query or shown) or page.paginator.count > SEARCH_FROM,
        "is_first_run": FIRST_STEPS_COOKIE not in request.COOKIES,
    }
    return render(request, "meetings/list.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def hide_first_steps(request: HttpRequest) -> HttpResponseBase:
    """Show this browser the first steps no more."""
    answer = redirect("meetings")
    answer.set_cookie(
        FIRST_STEPS_COOKIE,
        "hidden",
        max_age=FIRST_STEPS_HIDDEN_S,
        path=reverse("meetings"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer


@login_required
@private
@require_GET
def meeting_states(request: HttpRequest) -> JsonResponse:
    """Return state and words of those of the host's meetings that are asked for by `id`; the list keeps itself true."""
    rows = find_meetings(request.user, "", "").filter(pk__in=request.GET.getlist("id")[:MEETINGS_A_PAGE])
    entries = list_meetings(request.user, rows)
    return JsonResponse({one.meeting.pk: {"state": one.state, "words": one.state_words} for one in entries})


@login_required
@require_POST
def delete_meeting(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Delete the meeting with everything that belongs to it; a link alone does not allow this."""
    meeting = find_meeting(meeting_id)
    if not may(request.user, Deed.DELETE, meeting):
        raise PermissionDenied(_("Only the owner of a meeting may delete it."))
    meeting.delete()
    return redirect("meetings")


@private
@require_GET
def host_page(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Show the page on which the host speaks."""
    meeting = find_meeting(meeting_id)
    if not request.user.is_authenticated and "token" not in request.GET:
        return redirect_to_login(request.get_full_path())
    require(request, Deed.SPEAK, meeting)
    if meeting.state != State.ENDED and is_upload(meeting.pk):
        return redirect("uploads")
    own_query = link_query(request, meeting)
    context = {
        "meeting": meeting,
        "token": socket_token(request, meeting, "host"),
        "join_token": socket_token(request, meeting, "join"),
        "storage_key": storage_key(meeting),
        "join_link": _link(request, meeting, "join"),
        "join_code": join_code(meeting) if is_open(meeting) else "",
        "join_address": _absolute(request, reverse("join")).partition("://")[2].rstrip("/"),
        "qr_link": reverse("qr", args=[meeting.pk]) + own_query,
        "own_query": own_query,
        "may_set_links": may(request.user, Deed.MANAGE, meeting),
        "is_loopback": request.get_host().rpartition(":")[0] in LOOPBACK_HOSTS or request.get_host() in LOOPBACK_HOSTS,
        "transcripts": _transcript_links(meeting, own_query),
        "is_ended": meeting.state == State.ENDED,
        "captioned_s": meeting.cursor / SAMPLE_RATE,
    }
    return render(request, "meetings/host.html", context)


@private
@require_GET
def qr_card(request: HttpRequest, meeting_id: str) -> HttpResponse:
    """Return the viewer link as an SVG QR code."""
    meeting = find_meeting(meeting_id)
    require(request, Deed.SPEAK, meeting)
    return HttpResponse(qr_svg(_link(request, meeting, "join")), content_type="image/svg+xml")


@private
@require_http_methods(["GET", "POST"])
def viewer_page(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Show the page for readers; `overlay=1` is the layout for a projector or a video mixer."""
    meeting = find_meeting(meeting_id)
    if asks_for_password(request, meeting):
        return password_page(request, meeting)
    require_viewer(request, meeting)
    own_query = link_query(request, meeting)
    context = {
        "meeting": meeting,
        "token": socket_token(request, meeting, "join"),
        "own_query": own_query,
        "transcripts": _transcript_links(meeting, own_query) if meeting.allow_downloads else [],
        "is_overlay": request.GET.get("overlay") == "1",
    }
    return render(request, "meetings/viewer.html", context)


@private
@require_GET
def transcript(request: HttpRequest, meeting_id: str, format_name: str) -> HttpResponse:
    """Return the stored captions as a file; `lang=pt`: in that language."""
    meeting = find_meeting(meeting_id)
    require_viewer(request, meeting)
    if format_name not in FORMATS:
        raise Http404(
            _("There is no transcript in the format %(asked)s; there is %(offered)s.")
            % {"asked": format_name, "offered": ", ".join(FORMATS)}
        )
    if not meeting.allow_downloads and not may_do(request, Deed.READ, meeting):
        raise PermissionDenied(_("The host of this meeting does not offer its transcript."))
    wanted = request.GET.get("lang", "")
    language = language_code(wanted) or wanted
    try:
        document = render_transcript(meeting, format_name, language)
    except UnknownLanguage as error:
        return render(request, "400.html", {"sentence": str(error)}, status=400)
    except NotTranslated as error:
        raise Http404(str(error)) from error
    name = "-".join(filter(None, ("transcript", meeting.pk, language)))
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format_name}"'}
    return HttpResponse(document.content, content_type=document.content_type, headers=headers)


@private
@require_GET
def sign_in(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Sign in with a one-time link from `meetings.accounts.signin`."""
    user = user_of_link(uid, token)
    if user is None:
        return render(request, "registration/link_expired.html", status=403)
    login(request, user, backend=settings.SIGN_IN_BACKEND)
    return redirect("meetings")


def _link(request: HttpRequest, meeting: Meeting, role: Role) -> str:
    path = reverse("viewer" if role == "join" else "host", args=[meeting.pk])
    return _absolute(request, f"{path}?{urlencode({'token': meeting_token(meeting, role)})}")


def _absolute(request: HttpRequest, link: str) -> str:
    """Use the public https origin if trusted: behind a TLS proxy the request is plain, but a token must never be."""
    public = f"https://{request.get_host()}"
    return public + link if public in settings.ENVIRONMENT.trusted_origins else request.build_absolute_uri(link)


def _transcript_links(meeting: Meeting, query: str) -> list[tuple[str, str]]:
    """Return format and path of every download."""
    return [(name, reverse("transcript", args=[meeting.pk, name]) + query) for name in FORMATS]
