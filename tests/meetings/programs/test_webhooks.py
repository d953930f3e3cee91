"""Webhooks against a real server on this machine, which is allowed for that; and where they are never sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from meetings.accounts.models import Delivery, Webhook
from meetings.models import Meeting, State
from meetings.programs import public_addresses, webhooks
from meetings.programs.public_addresses import ForbiddenAddress, check_address, post
from meetings.rows.summaries import Written, store
from meetings.rows.transcript import Lease, set_state, take_lease
from meetings.workers.delivering import deliver

pytestmark = pytest.mark.django_db(transaction=True)


class Receiver(HTTPServer):
    """Keeps what it is sent, and answers with the statuses it is given, 204 after those."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], str]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, private_webhooks=True))
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Orçamento", owner=User.objects.create_user("ana"))


@pytest.fixture
def hook(meeting: Meeting, receiver: Receiver) -> Webhook:
    return Webhook.objects.create(user=meeting.owner, url=receiver.url)


def make_due() -> None:
    Delivery.objects.exclude(next_at=None).update(next_at=timezone.now())


def test_the_end_of_a_meeting_is_told_once_and_signed(meeting: Meeting, hook: Webhook, receiver: Receiver) -> None:
    assert set_state(meeting.pk, State.ENDED)
    assert not set_state(meeting.pk, State.ENDED)
    deliver()
    deliver()
    [(headers, body)] = receiver.received
    message = json.loads(body)
    assert message["type"] == "meeting.ready"
    assert message["data"] == {
        "meeting": meeting.pk, "title": "Orçamento", "path": f"/m/{meeting.pk}/transcript.json",
    }  # fmt: skip
    key = base64.urlsafe_b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert len(key) == 24
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.next_at, delivery.failure) == (1, None, "")
    assert delivery.delivered_at is not None


def test_a_summary_is_told_without_a_word_of_it(meeting: Meeting, hook: Webhook, receiver: Receiver) -> None:
    row = take_lease(meeting.pk)
    store(Lease(row.pk, row.lease_epoch), Written(0.0, 1.0, "en", "We buy a boat.", ()))
    deliver()
    [(_, body)] = receiver.received
    assert json.loads(body)["type"] == "summary.ready"
    assert "boat" not in body


def test_what_nobody_owns_and_what_is_not_kept_is_told_to_nobody(meeting: Meeting, hook: Webhook) -> None:
    Meeting.objects.update(is_ephemeral=True)
    set_state(meeting.pk, State.ENDED)
    set_state(Meeting.objects.create(title="Nobody's").pk, State.ENDED)
    assert not Delivery.objects.exists()


def test_it_is_tried_again_with_growing_pauses_and_given_up(
    meeting: Meeting, hook: Webhook, receiver: Receiver
) -> None:
    set_state(meeting.pk, State.ENDED)
    receiver.statuses = [500, 302, 404, *[503] * 5]
    pauses = []
    for _ in range(8):
        deliver()
        next_at = Delivery.objects.get().next_at
        pauses.append(round((next_at - timezone.now()).total_seconds()) if next_at else None)
        make_due()
    assert pauses == [5, 60, 300, 1_800, 7_200, 28_800, 86_400, None]
    deliver()
    assert len(receiver.received) == 8, "a redirect is not followed, and nothing comes after the last"
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.delivered_at, delivery.failure) == (8, None, "The answer was 503.")


def test_one_of_several_workers_sends_it(meeting: Meeting, hook: Webhook) -> None:
    set_state(meeting.pk, State.ENDED)
    [seen_by_one], [seen_by_another] = webhooks.due(limit=5), webhooks.due(limit=5)
    assert webhooks.claim(seen_by_one)
    assert not webhooks.claim(seen_by_another)
    assert webhooks.due(limit=5) == []
    Delivery.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert len(webhooks.due(limit=5)) == 1, "the first one died: it is due again"


def test_old_ones_are_forgotten(meeting: Meeting, hook: Webhook) -> None:
    set_state(meeting.pk, State.ENDED)
    deliver()
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=15))
    deliver()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https:///path",
        "https://user:secret@example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
    ],
)
def test_addresses_within_are_not_called(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(url, is_private_allowed=False)


@pytest.mark.parametrize("found", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"])
def test_a_name_that_leads_within_is_not_followed(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        addresses = ("93.184.216.34", found)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def connect(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be connected to")

    monkeypatch.setattr(public_addresses.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(public_addresses.socket, "create_connection", connect)
    with pytest.raises(ForbiddenAddress):
        post("https://rebinding.example/", b"{}", {}, is_private_allowed=False)
