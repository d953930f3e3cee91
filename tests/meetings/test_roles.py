"""Who may do what: every page by every kind of caller, and every message of the sockets by both roles.

A new page or message is missing here until somebody has decided who may use it, and the tests say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from unittest.mock import Mock

import pytest
import redis.asyncio
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver

from meetings.accounts.link_tokens import meeting_token
from meetings.accounts.page_tokens import admits
from meetings.live import consumers
from meetings.live.consumers import ViewerConsumer
from meetings.live.fanout import Broadcaster
from meetings.live.host import HostConsumer
from meetings.models import Meeting, Upload
from meetings.web import account_urls
from meetings.web.sample import TooManySamples
from tests.meetings.live.test_consumers import closed, heard, socket

pytestmark = pytest.mark.django_db

CALLERS = (
    "nobody", "viewer link", "host link", "host pass", "stranger", "owner", "idle staff", "reading staff",
    "administrator",
)  # fmt: skip
"""Somebody without an account; who holds a link; who found a pass of the owner's page; another host; whose meeting it
is; staff without any permission, and with those to look; a superuser."""

Codes = tuple[int, int, int, int, int, int, int, int, int]
SIGNED_IN: Codes = (302, 302, 302, 302, 200, 200, 200, 200, 200)
READERS: Codes = (403, 200, 200, 403, 403, 200, 403, 200, 200)
TOKENS_ALONE: Codes = (401, 401, 401, 401, 401, 401, 401, 401, 401)
CORRECTORS: Codes = (403, 403, 404, 403, 403, 404, 403, 403, 404)
"""404: the line is not there; who asks may correct it."""


def signed_in(code: int) -> Codes:
    """Others are sent to the sign-in."""
    return (302, 302, 302, 302, code, code, code, code, code)


PAGES: dict[str, tuple[str, str, Codes]] = {
    "meetings": ("get", "/", SIGNED_IN),
    "meetings, posted": ("post", "/", signed_in(422)),
    "meeting-states": ("get", "/states", SIGNED_IN),
    "host": ("get", "/host/{id}/", (302, 403, 200, 403, 403, 200, 403, 403, 200)),
    "qr": ("get", "/host/{id}/qr.svg", (403, 403, 200, 403, 403, 200, 403, 403, 200)),
    "links": ("get", "/host/{id}/links/", (302, 302, 302, 302, 403, 200, 403, 403, 200)),
    "links, posted": ("post", "/host/{id}/links/", (302, 302, 302, 302, 403, 422, 403, 403, 422)),
    "export": ("get", "/host/{id}/export.zip", (302, 302, 302, 302, 403, 200, 403, 200, 200)),
    "hide-first-steps": ("post", "/first-steps/hide", signed_in(302)),
    "account": ("get", "/account/", SIGNED_IN),
    "account, posted": ("post", "/account/", signed_in(422)),
    "revoke-token": ("post", "/account/tokens/1/revoke/", signed_in(404)),
    "add-webhook": ("post", "/account/webhooks/", signed_in(422)),
    "remove-webhook": ("post", "/account/webhooks/1/remove/", signed_in(404)),
    "transcriptions": ("post", "/v1/audio/transcriptions", TOKENS_ALONE),
    "translations": ("post", "/v1/audio/translations", TOKENS_ALONE),
    "api-job": ("get", "/v1/audio/jobs/1", TOKENS_ALONE),
    "api-job, deleted": ("delete", "/v1/audio/jobs/1", TOKENS_ALONE),
    "api-models": ("get", "/v1/models", TOKENS_ALONE),
    "api-model": ("get", "/v1/models/whisper-1", TOKENS_ALONE),
    "viewer": ("get", "/m/{id}/", READERS),
    "transcript": ("get", "/m/{id}/transcript.txt", READERS),
    "read": ("get", "/m/{id}/read/", READERS),
    "second-pass": ("get", "/m/{id}/read/second-pass", READERS),
    "recording": ("get", "/m/{id}/recording", (403, 404, 404, 403, 403, 404, 403, 404, 404)),
    "correct-line": ("post", "/m/{id}/lines/0", CORRECTORS),
    "correct-speaker": ("post", "/m/{id}/speakers/S1", CORRECTORS),
    "correct-summary": ("post", "/m/{id}/summaries/1", CORRECTORS),
    "try-sample": ("post", "/sample/", signed_in(429)),
    "uploads": ("get", "/uploads/", SIGNED_IN),
    "uploads, posted": ("post", "/uploads/", signed_in(422)),
    "upload-list": ("get", "/uploads/list", SIGNED_IN),
    "upload-chunks": ("head", "/uploads/{id}", (403, 403, 403, 403, 404, 200, 404, 404, 200)),
    "upload-chunks, sent": ("patch", "/uploads/{id}", (403, 403, 403, 403, 404, 204, 404, 404, 204)),
    "operations": ("get", "/admin/operations/", (302, 302, 302, 302, 302, 302, 403, 200, 200)),
    "tell-worker": ("post", "/admin/operations/tell", (302, 302, 302, 302, 302, 302, 403, 403, 302)),
    "try-again": ("post", "/admin/operations/try-again", (302, 302, 302, 302, 302, 302, 403, 403, 302)),
    "search": ("get", "/admin/search/", (302, 302, 302, 302, 302, 302, 403, 200, 200)),
    "admin:index": ("get", "/admin/", (302, 302, 302, 302, 302, 302, 200, 200, 200)),
    "admin:meetings_meeting_change": (
        "get",
        "/admin/meetings/meeting/{id}/change/",
        (302, 302, 302, 302, 302, 302, 403, 200, 200),
    ),
    "admin:meetings_meeting_delete": (
        "post",
        "/admin/meetings/meeting/{id}/delete/",
        (302, 302, 302, 302, 302, 302, 403, 403, 200),
    ),
    "delete": ("post", "/host/{id}/delete/", (302, 302, 302, 302, 403, 302, 403, 403, 302)),
}
"""By name: method, address, and the answer to each of CALLERS. A redirect is one to the sign-in, or after the deed."""

UNFIT = {"nothing": "of use"}
"""What is posted: who may post it hears what is missing."""

OPEN = {
    "api-unknown",
    "join",
    "login",
    "logout",
    "sign-in",
    "set_language",
    "healthz",
    "readyz",
    "metrics",
    "openid",
    "openid-callback",
}
"""Names of what anybody may ask for: nothing of a meeting is in it."""

HOST_ALONE = frozenset(
    {
        "pause", "resume", "end", "set_language", "summarize", "not_now", "summary_every", "rename_speaker",
        "merge_speakers", "assign_speaker", "expect_speakers", "missing",
    }
)  # fmt: skip


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def meeting(owner: User) -> Meeting:
    meeting = Meeting.objects.create(title="Planning", owner=owner)
    Upload.objects.create(meeting=meeting, name="a.wav", size=1, state="ready")
    return meeting


def caller(kind: str, owner: User, meeting: Meeting) -> tuple[Client, str]:
    """A client, and the token in its link."""
    client = Client()
    if kind == "stranger":
        client.force_login(User.objects.create_user("eve"))
    elif kind == "owner":
        client.force_login(owner)
    elif kind == "administrator":
        client.force_login(User.objects.create_superuser("root"))
    elif kind.endswith("staff"):
        clerk = User.objects.create_user("clerk", is_staff=True)
        looking = Permission.objects.filter(content_type__app_label="meetings", codename__startswith="view_")
        clerk.user_permissions.set(looking if kind == "reading staff" else [])
        client.force_login(clerk)
    elif kind == "host pass":
        return client, pass_of(owner, meeting)
    roles = {"viewer link": "join", "host link": "host"}
    return client, meeting_token(meeting, roles[kind]) if kind in roles else ""  # type: ignore[arg-type]


def pass_of(owner: User, meeting: Meeting) -> str:
    """What the owner's page opens its socket with."""
    client = Client()
    client.force_login(owner)
    found = re.search(r'data-token="(h[^"]+)"', client.get(f"/m/{meeting.pk}/").content.decode())
    assert found is not None
    assert admits(meeting, "host", found[1])
    return found[1]


@pytest.mark.django_db(transaction=True)  # pages that run as coroutines have connections of their own
@pytest.mark.parametrize("kind", CALLERS)
def test_each_page_is_for_those_whom_the_table_names(
    kind: str, owner: User, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meetings.web.sample.begin", Mock(side_effect=TooManySamples))
    client, token = caller(kind, owner, meeting)
    Meeting.objects.update(state="ended")  # of an upload that is not over, the host is shown the uploads
    answers = {}
    for name, (method, address, _) in PAGES.items():
        path = address.format(id=meeting.pk) + (f"?token={token}" if token else "")
        ask: Callable[..., HttpResponse] = getattr(client, method)
        posted = [UNFIT] if method == "post" and not name.startswith("admin:") else []
        answers[name] = ask(path, *posted).status_code
    assert answers == {name: expected[CALLERS.index(kind)] for name, (_, _, expected) in PAGES.items()}
    assert Meeting.objects.exists() is (kind not in ("owner", "administrator")), "who may deleted it"


def test_the_table_has_every_page() -> None:
    ours = {
        pattern.name
        for pattern in [*get_resolver().url_patterns, *account_urls.urlpatterns]
        if isinstance(pattern, URLPattern)
    }
    named = {name.partition(",")[0] for name in PAGES if not name.startswith("admin:")}
    assert ours - OPEN == named


@pytest.mark.parametrize("kind", CALLERS)
def test_nobody_reads_another_meeting_with_a_link(kind: str, owner: User, meeting: Meeting) -> None:
    other = Meeting.objects.create(title="Board", owner=User.objects.create_user("bea"))
    client, token = caller(kind, owner, meeting)
    codes = {client.get(f"/m/{other.pk}/", {"token": token}).status_code}
    codes.add(client.get(f"/m/{other.pk}/transcript.txt", {"token": token}).status_code)
    assert codes == ({200} if kind in ("reading staff", "administrator") else {403})


def test_the_list_offers_what_may_be_done(owner: User, meeting: Meeting) -> None:
    Meeting.objects.update(state="ended", last_seq=1)
    links = {
        "speak": f'href="/host/{meeting.pk}/"',
        "read": f'href="/m/{meeting.pk}/read/"',
        "export": f'href="/host/{meeting.pk}/export.zip"',
        "delete": f'action="/host/{meeting.pk}/delete/"',
    }
    offered = {}
    for kind in ("stranger", "owner", "idle staff", "reading staff", "administrator"):
        client, _ = caller(kind, owner, meeting)
        page = client.get("/").content.decode()
        offered[kind] = [name for name, link in links.items() if link in page]
        User.objects.exclude(pk=owner.pk).delete()
    everything = list(links)
    assert offered == {
        "stranger": [],
        "owner": everything,
        "idle staff": [],
        "reading staff": ["read", "export"],
        "administrator": everything,
    }


def handlers(consumer: type) -> set[str]:
    return {name.removeprefix("on_") for name in dir(consumer) if name.startswith("on_")}


def test_the_sets_have_every_message() -> None:
    assert handlers(HostConsumer) - handlers(consumers.MeetingConsumer) == HOST_ALONE
    assert handlers(ViewerConsumer) == {"seen", "language"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("message", sorted(HOST_ALONE))
async def test_a_viewer_says_nothing_that_is_the_hosts(
    message: str, meeting: Meeting, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(lambda: broker))
    before = await Meeting.objects.values().aget(pk=meeting.pk)
    token = meeting_token(meeting, "join")
    async with socket(f"/ws/captions/{meeting.pk}/?token={token}") as viewer:
        await viewer.send_to(text_data=json.dumps({"type": message}))
        assert (await heard(viewer, "error"))["code"] == "malformed"
        assert await closed(viewer) == 4400
    assert await Meeting.objects.values().aget(pk=meeting.pk) == before
    assert await broker.keys("*:audio") == []
