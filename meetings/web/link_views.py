"""Pages about a meeting's links: their settings for the host, and the readers' password form."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import check_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from meetings.accounts.access import find_meeting, private, remember_reader
from meetings.accounts.client_address import block, request_address
from meetings.accounts.page_tokens import are_links_expired
from meetings.accounts.rights import Deed, may
from meetings.broker.notify import notify_recheck
from meetings.broker.rate_limit import RateLimited, attempts, record_attempt
from meetings.models import Meeting
from meetings.web.link_forms import AS_IT_IS, LinkForm

TRIES = 10
"""Wrong passwords of a meeting allowed per address."""

TRIES_WHEN_ATTACKED = 2

ATTACKED = 100
"""Wrong passwords of a meeting from all addresses, after which each gets fewer: attacks lock out no other address."""

TRIES_WITHIN_S = 300


@login_required
@private
@require_http_methods(["GET", "POST"])
def links_page(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Set password, expiry and renewal of the links; only when signed in, because a link must not change itself."""
    meeting = find_meeting(meeting_id)
    if not may(request.user, Deed.MANAGE, meeting):
        raise PermissionDenied(_("Only the owner of a meeting may change its links."))
    form = LinkForm(request.POST or None, initial={"expiry": AS_IT_IS})
    if request.method == "POST" and form.is_valid():
        form.apply(meeting)
        notify_recheck(meeting.pk)
        return redirect("links", meeting.pk)
    context = {"meeting": meeting, "form": form, "is_expired": are_links_expired(meeting)}
    return render(request, "meetings/links.html", context, status=422 if form.errors else 200)


def password_page(request: HttpRequest, meeting: Meeting) -> HttpResponse:
    """Ask for the password; the right one leads on to the captions."""
    if request.method != "POST":
        return render(request, "meetings/password.html", {"meeting": meeting})
    caller = f"{meeting.pk}:{block(request_address(request))}"
    try:
        _require_tries(meeting, caller)
        # Stripped as where the host sets it: who copies a password copies a space along.
        if not check_password(request.POST.get("password", "").strip(), meeting.link_password):
            for name in (caller, meeting.pk):
                record_attempt(name, within_s=TRIES_WITHIN_S)
            return _asked_again(request, meeting, _("That is not the password."), 403)
    except RateLimited as error:
        sentence = _("Too many tries. Wait %(seconds)d seconds.") % {"seconds": error.seconds}
        answer = _asked_again(request, meeting, sentence, 429)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    entered = redirect(request.get_full_path())
    remember_reader(entered, meeting)
    return entered


def _require_tries(meeting: Meeting, caller: str) -> None:
    """Raise RateLimited for an address with too many wrong passwords; right ones do not count.

    A building full of readers may share one address.
    """
    of_all, _left_s = attempts(meeting.pk, within_s=TRIES_WITHIN_S)
    count, left_s = attempts(caller, within_s=TRIES_WITHIN_S)
    if count >= (TRIES_WHEN_ATTACKED if of_all >= ATTACKED else TRIES):
        raise RateLimited(max(1, left_s))


def _asked_again(request: HttpRequest, meeting: Meeting, sentence: str, status: int) -> HttpResponse:
    return render(request, "meetings/password.html", {"meeting": meeting, "sentence": sentence}, status=status)
