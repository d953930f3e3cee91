"""Middleware for trusted proxies, policies of pages, cross-origin requests, time zones and overloaded password hashing.

All of it supports both sync and async. Otherwise Django would run every page in its single thread, slow ones included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from inspect import iscoroutinefunction
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from meetings.accounts import cors
from meetings.accounts.api_errors import Refused
from meetings.accounts.client_address import client_address, is_proxy
from meetings.accounts.password_hashing import TooManyHashes

PERMISSIONS_POLICY = "microphone=(self), display-capture=(self), screen-wake-lock=(self), camera=(), geolocation=()"

TIME_ZONE_COOKIE = "timezone"
"""As in static/js/local-times.js."""

Handler = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def trusted_proxies(get_response: Handler) -> Handler:
    """Take the client's address and scheme from the proxies named in the settings; ignore the headers of others."""
    return _around(get_response, before=_believe_proxies, after=_as_it_is)


@sync_and_async_middleware
def sockets_policy(get_response: Handler) -> Handler:
    """Allow sockets to the page's own host by name."""
    return _around(get_response, before=_nothing, after=_allow_sockets)


@sync_and_async_middleware
def permissions_policy(get_response: Handler) -> Handler:
    """Allow microphone, tab audio and wake lock for our own pages only."""
    return _around(get_response, before=_nothing, after=_add_policy)


@sync_and_async_middleware
def cross_origin(get_response: Handler) -> Handler:
    """Let the pages that PARLANCE_CORS_ORIGINS names call the API (`meetings.accounts.cors`)."""
    return _around(get_response, before=_preflight_answer, after=_add_cors)


@sync_and_async_middleware
def reader_time_zone(get_response: Handler) -> Handler:
    """Show times in the zone that `static/js/local-times.js` put into a cookie; without one, in UTC."""
    return _around(get_response, before=_enter_time_zone, after=_as_it_is)


@sync_and_async_middleware
def busy_hashing(get_response: Handler) -> Handler:
    """Return 503 with Retry-After on any page if too many password hashes are waiting."""
    handler: Any = _around(get_response, before=_nothing, after=_as_it_is)
    handler.process_exception = _say_when
    answering: Handler = handler
    return answering


def _around(
    get_response: Handler,
    *,
    before: Callable[[HttpRequest], HttpResponse | None],
    after: Callable[[HttpRequest, HttpResponse], HttpResponse],
) -> Handler:
    """Make a middleware. A response of `before` is sent instead of the page's."""
    if iscoroutinefunction(get_response):

        async def in_coroutine(request: HttpRequest) -> HttpResponse:
            early = before(request)
            if early is not None:
                return early
            answer: Awaitable[HttpResponse] = get_response(request)
            return after(request, await answer)

        return in_coroutine

    def in_thread(request: HttpRequest) -> HttpResponse:
        early = before(request)
        return after(request, get_response(request)) if early is None else early

    return in_thread


def _believe_proxies(request: HttpRequest) -> None:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    proxies = settings.ENVIRONMENT.proxies
    if not is_proxy(peer, proxies):
        request.META.pop("HTTP_X_FORWARDED_PROTO", None)
    request.META["REMOTE_ADDR"] = client_address(peer, forwarded, proxies)
    request.META.pop("HTTP_X_FORWARDED_FOR", None)


def _enter_time_zone(request: HttpRequest) -> None:
    name = request.COOKIES.get(TIME_ZONE_COOKIE, "")
    if name in _time_zones():
        timezone.activate(ZoneInfo(name))
    else:
        timezone.deactivate()


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _say_when(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    if not isinstance(exception, TooManyHashes):
        return None
    sentence = _("Too many people are entering a password right now. Try again in %(seconds)d seconds.")
    context = {"sentence": sentence % {"seconds": exception.seconds}}
    answer = render(request, "meetings/refused.html", context, status=503)
    answer.headers["Retry-After"] = str(exception.seconds)
    return answer


def _nothing(request: HttpRequest) -> None:
    """Leave the request as it is."""


def _as_it_is(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    return response


def _preflight_answer(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a browser that asks whether a page may send a request to the API; None: no such question."""
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not is_preflight or not request.path_info.startswith(cors.API):
        return None
    origin = request.headers.get("Origin", "")
    if not cors.is_allowed(origin):
        refused = Refused(403, "origin_not_allowed", "PARLANCE_CORS_ORIGINS does not name this origin.")
        return JsonResponse(refused.content, status=refused.status, headers={"Vary": cors.PREFLIGHT_VARY})
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return HttpResponse(status=204, headers={**cors.preflight_headers(origin, asked), "Vary": cors.PREFLIGHT_VARY})


def _add_cors(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if request.path_info.startswith(cors.API):
        patch_vary_headers(response, (cors.VARY,))
        for name, value in cors.response_headers(request.path_info, request.headers.get("Origin", "")).items():
            response.headers[name] = value
    return response


def _allow_sockets(request: HttpRequest, response: Any) -> HttpResponse:
    """`'self'` is the page's https address alone in Safari up to 15.3 (w3c/webappsec-csp#7)."""
    origins = [*settings.ENVIRONMENT.trusted_origins]
    with suppress(DisallowedHost):
        origins.append(f"{request.scheme}://{request.get_host()}")
    response._csp_update = {"connect-src": [origin.replace("http", "ws", 1) for origin in origins]}
    answer: HttpResponse = response
    return answer


def _add_policy(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
    return response
