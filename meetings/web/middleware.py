"""Middleware for trusted proxies, the Permissions-Policy header and overloaded password hashing.

All of it supports both sync and async. Otherwise Django would run every page in its single thread, slow ones included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from meetings.accounts.client_address import client_address, is_proxy
from meetings.accounts.password_hashing import TooManyHashes

PERMISSIONS_POLICY = "microphone=(self), display-capture=(self), screen-wake-lock=(self), camera=(), geolocation=()"

Handler = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def trusted_proxies(get_response: Handler) -> Handler:
    """Take the client's address and scheme from the proxies named in the settings; ignore the headers of others."""
    return _around(get_response, before=_believe_proxies, after=lambda response: response)


@sync_and_async_middleware
def permissions_policy(get_response: Handler) -> Handler:
    """Allow microphone, tab audio and wake lock for our own pages only."""
    return _around(get_response, before=lambda request: None, after=_add_policy)


@sync_and_async_middleware
def busy_hashing(get_response: Handler) -> Handler:
    """Return 503 with Retry-After on any page if too many password hashes are waiting."""
    handler: Any = _around(get_response, before=lambda request: None, after=lambda response: response)
    handler.process_exception = _say_when
    answering: Handler = handler
    return answering


def _around(
    get_response: Handler,
    *,
    before: Callable[[HttpRequest], None],
    after: Callable[[HttpResponse], HttpResponse],
) -> Handler:
    if iscoroutinefunction(get_response):

        async def in_coroutine(request: HttpRequest) -> HttpResponse:
            before(request)
            answer: Awaitable[HttpResponse] = get_response(request)
            return after(await answer)

        return in_coroutine

    def in_thread(request: HttpRequest) -> HttpResponse:
        before(request)
        return after(get_response(request))

    return in_thread


def _believe_proxies(request: HttpRequest) -> None:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    proxies = settings.ENVIRONMENT.proxies
    if not is_proxy(peer, proxies):
        request.META.pop("HTTP_X_FORWARDED_PROTO", None)
    request.META["REMOTE_ADDR"] = client_address(peer, forwarded, proxies)
    request.META.pop("HTTP_X_FORWARDED_FOR", None)


def _say_when(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    if not isinstance(exception, TooManyHashes):
        return None
    sentence = _("Too many people give a password at this moment. Try again in %(seconds)d seconds.")
    context = {"sentence": sentence % {"seconds": exception.seconds}}
    answer = render(request, "meetings/refused.html", context, status=503)
    answer.headers["Retry-After"] = str(exception.seconds)
    return answer


def _add_policy(response: HttpResponse) -> HttpResponse:
    response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
    return response
