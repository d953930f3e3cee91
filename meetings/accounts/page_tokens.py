"""Tokens with which a page opens its sockets, bound to a sign-in or to a password.

A host's page gets a pass that ends with the sign-in. A reader's page gets the token of its link, or if a password is
set, a pass that proves it was given. Passes are derived like tokens and not stored. They open sockets only: pages and
files use cookies, and addresses get passed on.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from meetings.accounts.link_tokens import Role, is_meeting_token, meeting_token
from meetings.accounts.rights import Deed, may
from meetings.models import EndedSignIn, Meeting

SESSION_NAME = "sign_in"
"""Session key of the sign-in's name."""

HOST_PREFIX, READER_PREFIX = "h", "r"

HOST_PASS = re.compile(rf"{HOST_PREFIX}\.(\d{{1,18}})\.([0-9a-f]{{32}})\.(\d{{1,12}})\.([0-9a-f]{{64}})", re.ASCII)
"""User, sign-in, seconds since 1970, signature. Lengths are limited so that huge numbers are never parsed."""

SOCKET_DEEDS: dict[Role, Deed] = {"host": Deed.SPEAK, "join": Deed.READ}
"""Deed that the user of a pass must be allowed to do, by role."""


def sign_in_name(request: HttpRequest) -> str:
    """Return the name of the request's sign-in, creating it if there is none."""
    if SESSION_NAME not in request.session:
        request.session[SESSION_NAME] = secrets.token_hex(16)
    name: str = request.session[SESSION_NAME]
    return name


def host_pass(meeting: Meeting, request: HttpRequest) -> str:
    """Return the pass for a signed-in host's page: `h.<user>.<sign-in>.<seconds since 1970>.<signature>`."""
    assert isinstance(request.user, User)
    parts = [HOST_PREFIX, str(request.user.pk), sign_in_name(request), str(int(time.time()))]
    return ".".join([*parts, _host_signature(meeting, request.user, parts)])


def reader_pass(meeting: Meeting) -> str:
    """Return the pass for a reader who gave the password; without a password, the token of the link."""
    if not meeting.link_password:
        return meeting_token(meeting, "join")
    value = f"{meeting.pk}:{meeting.link_generation}:{meeting.link_password}"
    return f"{READER_PREFIX}.{_signature('reader', value)}"


def opens_for_readers(meeting: Meeting, token: str) -> bool:
    """Return whether `token` admits readers: the link's, or with a password the pass, before they expire."""
    return not are_links_expired(meeting) and hmac.compare_digest(
        reader_pass(meeting).encode(), token.encode("utf-8", "replace")
    )


def are_links_expired(meeting: Meeting) -> bool:
    return meeting.links_expire_at is not None and meeting.links_expire_at <= timezone.now()


def is_host_pass(meeting: Meeting, token: str, deed: Deed) -> bool:
    """Return whether `token` is a pass for the meeting from a valid sign-in, whose user may still do the deed."""
    found = HOST_PASS.fullmatch(token)
    if found is None:
        return False
    user_id, sign_in, began, signature = found.groups()
    user = User.objects.filter(pk=int(user_id), is_active=True).first()
    if user is None or not may(user, deed, meeting):
        return False
    expected = _host_signature(meeting, user, [HOST_PREFIX, user_id, sign_in, began])
    is_fresh = int(began) + settings.SESSION_COOKIE_AGE > time.time()
    is_signed = hmac.compare_digest(expected, signature)
    return is_fresh and is_signed and not EndedSignIn.objects.filter(pk=sign_in).exists()


def admits(meeting: Meeting, role: Role, token: str) -> bool:
    """Return whether a socket of that role may be opened, or stay open, with `token`."""
    by_link = is_meeting_token(meeting, "host", token) if role == "host" else opens_for_readers(meeting, token)
    return by_link or is_host_pass(meeting, token, SOCKET_DEEDS[role])


def _host_signature(meeting: Meeting, user: User, parts: list[str]) -> str:
    """A new password of the user ends the pass too."""
    return _signature("host", ":".join([meeting.pk, *parts, user.get_session_auth_hash()]))


def _signature(kind: str, value: str) -> str:
    return salted_hmac(f"meetings.passes.{kind}", value, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()
