"""What no library of ours does to requests and responses: whom proxies speak for, and a header."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from meetings.addresses import client_address, is_proxy

PERMISSIONS_POLICY = "microphone=(self), display-capture=(self), screen-wake-lock=(self), camera=(), geolocation=()"


Handler = Callable[[HttpRequest], HttpResponse]


def trusted_proxies(get_response: Handler) -> Handler:
    """Takes the caller's address and scheme from the proxies that the settings name; others claim in vain."""

    def middleware(request: HttpRequest) -> HttpResponse:
        peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        proxies = settings.ENVIRONMENT.proxies
        if not is_proxy(peer, proxies):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        request.META["REMOTE_ADDR"] = client_address(peer, forwarded, proxies)
        request.META.pop("HTTP_X_FORWARDED_FOR", None)
        return get_response(request)

    return middleware


def permissions_policy(get_response: Handler) -> Handler:
    """Only our own pages may ask for the microphone, a tab's sound and the wake lock."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
        return response

    return middleware
