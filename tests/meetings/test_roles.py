"""Who may do what: every page by every kind of caller, and every message of the sockets by both roles.

A new page or message is missing here until somebody has decided who may use it, and the tests say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis.asyncio
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver

from meetings.accounts import urls as account_urls
from meetings.accounts.tokens import meeting_token
from meetings.models import Meeting, Upload
from meetings.sockets import consumers
from meetings.sockets.broadcast import Broadcaster
from meetings.sockets.consumers import ViewerConsumer
from meetings.sockets.host import HostConsumer
from tests.meetings.sockets.test_consumers import closed, heard, socket

pytestmark = pytest.mark.django_db

CALLERS = ("nobody", "viewer link", "host link", "stranger", "owner", "staff")
"""Somebody without an account; who holds a link; another host; whose meeting it is; an administrator."""

PAGES: dict[str, tuple[str, str, tuple[int, int, int, int, int, int]]] = {
    "meetings": ("get", "/", (302, 302, 302, 200, 200, 200)),
    "host": ("get", "/host/{id}/", (302, 403, 200, 403, 200, 200)),
    "qr": ("get", "/host/{id}/qr.svg", (403, 403, 200, 403, 200, 200)),
    "links": ("get", "/host/{id}/links/", (302, 302, 302, 403, 200, 200)),
    "export": ("get", "/host/{id}/export.zip", (302, 302, 302, 403, 200, 200)),
    "account": ("get", "/account/", (302, 302, 302, 200, 200, 200)),
    "revoke-token": ("post", "/account/tokens/1/revoke/", (302, 302, 302, 404, 404, 404)),
    "add-webhook": ("post", "/account/webhooks/", (302, 302, 302, 422, 422, 422)),
    "remove-webhook": ("post", "/account/webhooks/1/remove/", (302, 302, 302, 404, 404, 404)),
    "transcriptions": ("post", "/v1/audio/transcriptions", (401, 401, 401, 401, 401, 401)),
    "viewer": ("get", "/m/{id}/", (403, 200, 200, 403, 200, 200)),
    "transcript": ("get", "/m/{id}/transcript.txt", (403, 200, 200, 403, 200, 200)),
    "read": ("get", "/m/{id}/read/", (403, 200, 200, 403, 200, 200)),
    "recording": ("get", "/m/{id}/recording", (403, 404, 404, 403, 404, 404)),
    "correct-line": ("post", "/m/{id}/lines/0", (403, 403, 404, 403, 404, 404)),
    "correct-speaker": ("post", "/m/{id}/speakers/S1", (403, 403, 404, 403, 404, 404)),
    "correct-summary": ("post", "/m/{id}/summaries/1", (403, 403, 404, 403, 404, 404)),
    "try-sample": ("get", "/sample/", (405, 405, 405, 405, 405, 405)),
    "uploads": ("get", "/uploads/", (302, 302, 302, 200, 200, 200)),
    "upload-list": ("get", "/uploads/list", (302, 302, 302, 200, 200, 200)),
    "upload-chunks": ("head", "/uploads/{id}", (403, 403, 403, 404, 200, 200)),
    "operations": ("get", "/admin/operations/", (302, 302, 302, 302, 302, 200)),
    "tell-worker": ("post", "/admin/operations/tell", (302, 302, 302, 302, 302, 302)),
    "search": ("get", "/admin/search/", (302, 302, 302, 302, 302, 200)),
    "admin:index": ("get", "/admin/", (302, 302, 302, 302, 302, 200)),
    "admin:meetings_meeting_change": ("get", "/admin/meetings/meeting/{id}/change/", (302, 302, 302, 302, 302, 200)),
    "admin:meetings_meeting_delete": ("post", "/admin/meetings/meeting/{id}/delete/", (302, 302, 302, 302, 302, 200)),
    "delete": ("post", "/host/{id}/delete/", (302, 302, 302, 403, 302, 302)),
}
"""By name: method, address, and the answer to each of CALLERS. A redirect is one to the sign-in, or after the deed."""

OPEN = {"login", "logout", "sign-in", "set_language", "healthz", "readyz", "metrics", "openid", "openid-callback"}
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
    elif kind == "staff":
        client.force_login(User.objects.create_superuser("root"))
    roles = {"viewer link": "join", "host link": "host"}
    return client, meeting_token(meeting, roles[kind]) if kind in roles else ""  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)  # pages that run as coroutines have connections of their own
@pytest.mark.parametrize("kind", CALLERS)
def test_each_page_is_for_those_whom_the_table_names(kind: str, owner: User, meeting: Meeting) -> None:
    client, token = caller(kind, owner, meeting)
    Meeting.objects.update(state="ended")  # of an upload that is not over, the host is shown the uploads
    answers = {}
    for name, (method, address, _) in PAGES.items():
        path = address.format(id=meeting.pk) + (f"?token={token}" if token else "")
        ask: Callable[[str], HttpResponse] = getattr(client, method)
        answers[name] = ask(path).status_code
    assert answers == {name: expected[CALLERS.index(kind)] for name, (_, _, expected) in PAGES.items()}
    assert Meeting.objects.exists() is (kind not in ("owner", "staff")), "who may deleted it"


def test_the_table_has_every_page() -> None:
    ours = {
        pattern.name
        for pattern in [*get_resolver().url_patterns, *account_urls.urlpatterns]
        if isinstance(pattern, URLPattern)
    }
    assert ours - OPEN == {name for name in PAGES if not name.startswith("admin:")}


@pytest.mark.parametrize("kind", CALLERS)
def test_nobody_reads_another_meeting_with_a_link(kind: str, owner: User, meeting: Meeting) -> None:
    other = Meeting.objects.create(title="Board", owner=User.objects.create_user("bea"))
    client, token = caller(kind, owner, meeting)
    codes = {client.get(f"/m/{other.pk}/", {"token": token}).status_code}
    codes.add(client.get(f"/m/{other.pk}/transcript.txt", {"token": token}).status_code)
    assert codes == ({200} if kind == "staff" else {403})


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
