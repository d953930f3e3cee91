"""Cross-origin requests (the Fetch standard's CORS) of pages that PARLANCE_CORS_ORIGINS names, for the API alone.

API requests are authenticated by a token that the page itself holds. Cookies do not count there, and the header that
would let a browser send them is never set.
"""

from __future__ import annotations

import re

from django.conf import settings

API = "/v1/"
METHODS = "GET, POST, DELETE"
EXPOSED = (
    "Location, Preference-Applied, Retry-After, X-Parlance-Missing-Seconds, X-Parlance-Untranslated-Seconds, "
    "X-Parlance-Nothing-Heard, WWW-Authenticate"
)
"""Headers of responses that pages may read."""

ASKED_HEADERS = re.compile(r"[A-Za-z0-9_-]{1,64}(?:[ \t]*,[ \t]*[A-Za-z0-9_-]{1,64}){0,63}", re.ASCII)
"""What a browser may ask to send: OpenAI's clients add a dozen headers of their own, which nobody reads."""

PREFLIGHT_KEPT_S = 7_200
"""Chromium keeps an answer no longer."""

VARY = "Origin"
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def is_allowed(origin: str) -> bool:
    """Return whether pages of `origin` may call the API."""
    return origin in settings.ENVIRONMENT.cors_origins


def response_headers(path: str, origin: str) -> dict[str, str]:
    """Return the headers of a response to a request from a page of `origin`, if it is allowed."""
    if not path.startswith(API) or not is_allowed(origin):
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def preflight_headers(origin: str, asked: str) -> dict[str, str]:
    """Return the headers of the answer to a preflight of an allowed origin.

    Args:
        asked: `Access-Control-Request-Headers`. All of them are allowed, because none gives a right by itself.
    """
    wanted = asked if ASKED_HEADERS.fullmatch(asked) else "authorization, content-type, prefer"
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": wanted,
        "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
    }
