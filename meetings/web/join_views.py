"""The page on which viewers type the code of a meeting."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from meetings.accounts.access import private, remember_link
from meetings.accounts.client_address import block, request_address
from meetings.accounts.join_codes import find_by_code
from meetings.broker.rate_limit import RateLimited, attempts, record_attempt, take_back

TRIES = 20
"""Wrong codes allowed per address; a building full of viewers may share one."""

TRIES_WHEN_ATTACKED = 2

ATTACKED = 200
"""Wrong codes from all addresses, after which each gets fewer."""

TRIES_IN_ALL = 1_000
"""Wrong codes from all addresses, after which nobody gets one; links and QR codes go on."""

TRIES_WITHIN_S = 300

ALL = "codes"


@private
@require_http_methods(["GET", "POST"])
def join_page(request: HttpRequest) -> HttpResponseBase:
    """Ask for a meeting's code. The right one leads to the captions by a cookie, so no address has a token in it.

    Whatever is wrong with a code is answered with one sentence, so that nobody learns which codes there are or were.
    """
    if request.method != "POST":
        return render(request, "meetings/join.html")
    caller = f"{ALL}:{block(request_address(request))}"
    try:
        _count_try(caller)
        meeting = find_by_code(request.POST.get("code", ""))
        if meeting is None:
            sentence = _("This code does not open a meeting. Check it, or ask the host: a code ends with its meeting.")
            return _asked_again(request, sentence, 403)
        for name in (caller, ALL):
            take_back(name, within_s=TRIES_WITHIN_S)
    except RateLimited as error:
        sentence = _("Too many tries. Wait %(seconds)d seconds.") % {"seconds": error.seconds}
        answer = _asked_again(request, sentence, 429)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    entered = redirect("viewer", meeting.pk)
    remember_link(entered, meeting)
    return entered


def _count_try(caller: str) -> None:
    """Count a try before it is looked at, so that tries at the same time are bounded too. Raises RateLimited.

    What an address tries beyond its own bound does not count for the others.
    """
    of_all, _left_s = attempts(ALL, within_s=TRIES_WITHIN_S)
    count, left_s = record_attempt(caller, within_s=TRIES_WITHIN_S)
    if count > (TRIES_WHEN_ATTACKED if of_all >= ATTACKED else TRIES):
        raise RateLimited(max(1, left_s))
    count, left_s = record_attempt(ALL, within_s=TRIES_WITHIN_S)
    if count > TRIES_IN_ALL:
        raise RateLimited(max(1, left_s))


def _asked_again(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return render(request, "meetings/join.html", {"sentence": sentence}, status=status)
