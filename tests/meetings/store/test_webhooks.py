"""Webhooks against a real server on this machine, which is allowed for that: what is sent, to whom, how often."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from inference.summarization.summary import Summary
from meetings.models import Delivery, Meeting, State, Webhook
from meetings.store import webhooks
from meetings.store.summaries import store
from meetings.store.transcript import Lease, set_state, take_lease
from meetings.worker import webhook_client

pytestmark = pytest.mark.django_db(transaction=True)


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with the statuses it is given, 204 after those."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], str]] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((dict(self.headers), body))
        self.server.paths.append(self.path)
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


def deliver(limit: int = 5) -> int:
    """What is due now, one after the other (`test_delivering` has the worker's part); returns how many were claimed."""
    claimed = [delivery for delivery in due(limit) if webhooks.claim(delivery)]
    for delivery in claimed:
        webhooks.record_outcome(delivery, async_to_sync(webhook_client.send)(delivery))
    return len(claimed)


def due(limit: int = 5, *, per_user: int = 5, busy: dict[int, int] | None = None) -> list[Delivery]:
    return webhooks.due(limit=limit, per_user=per_user, busy=busy or {})


def make_due() -> None:
    Delivery.objects.exclude(next_at=None).update(next_at=timezone.now())


def test_the_end_of_a_meeting_is_told_once_and_signed(meeting: Meeting, hook: Webhook, receiver: Receiver) -> None:
    assert set_state(Lease(meeting.pk, 0), State.ENDED)
    assert not set_state(Lease(meeting.pk, 0), State.ENDED)
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
    store(Lease(row.pk, row.lease_epoch), Summary(0.0, 1.0, "en", "We buy a boat.", ()))
    deliver()
    [(_, body)] = receiver.received
    assert json.loads(body)["type"] == "summary.ready"
    assert "boat" not in body


def test_what_nobody_owns_and_what_is_not_kept_is_told_to_nobody(meeting: Meeting, hook: Webhook) -> None:
    Meeting.objects.update(is_ephemeral=True)
    set_state(Lease(meeting.pk, 0), State.ENDED)
    set_state(Lease(Meeting.objects.create(title="Nobody's").pk, 0), State.ENDED)
    assert not Delivery.objects.exists()


def test_it_is_tried_again_with_growing_pauses_and_given_up(
    meeting: Meeting, hook: Webhook, receiver: Receiver
) -> None:
    set_state(Lease(meeting.pk, 0), State.ENDED)
    receiver.statuses = [500, 302, 404, *[503] * 5]
    pauses = []
    for _ in range(8):
        deliver()
        next_at = Delivery.objects.get().next_at
        pauses.append(round((next_at - timezone.now()).total_seconds()) if next_at else None)
        make_due()
    assert pauses == [5, 60, 300, 1_800, 7_200, 28_800, 86_400, None]
    assert deliver() == 0
    assert len(receiver.received) == 8, "a redirect is not followed, and nothing comes after the last"
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.delivered_at, delivery.failure) == (8, None, "The answer was 503.")


def test_one_of_several_workers_sends_it(meeting: Meeting, hook: Webhook) -> None:
    set_state(Lease(meeting.pk, 0), State.ENDED)
    [seen_by_one], [seen_by_another] = due(), due()
    assert webhooks.claim(seen_by_one)
    assert not webhooks.claim(seen_by_another)
    assert due() == []
    assert Delivery.objects.get().attempts == 1, "counted before it is made"
    make_due()
    assert len(due()) == 1, "the first one died: it is due again"


def test_what_ends_its_worker_every_time_is_given_up(meeting: Meeting, hook: Webhook, receiver: Receiver) -> None:
    set_state(Lease(meeting.pk, 0), State.ENDED)
    for _ in range(webhooks.MAX_DELIVERY_ATTEMPTS):
        [delivery] = due()
        assert webhooks.claim(delivery)  # and then the process is gone
        assert Delivery.objects.get().next_at > timezone.now() + timedelta(seconds=50)
        make_due()
    assert deliver() == 1
    assert receiver.received == [], "it is not sent once more"
    given_up = Delivery.objects.get()
    assert (given_up.next_at, given_up.failure) == (None, "The server ended during the last attempt.")


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        ("https://127.0.0.1:99999/", "A port is a number from 1 to 65535."),
        (f"https://{61 * 'ü'}.com/", "This is no address that can be called."),
        (f"https://{64 * 'a'}.com/", "The host's name is not one that can be looked up."),
        ("https://a..b/", "The host's name is not one that can be looked up."),
    ],
)
def test_an_address_of_before_that_cannot_be_called_is_counted(
    meeting: Meeting, hook: Webhook, url: str, failure: str
) -> None:
    Webhook.objects.update(url=url)
    set_state(Lease(meeting.pk, 0), State.ENDED)
    deliver()
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.failure) == (1, failure)
    assert delivery.next_at is not None


def test_a_path_that_is_not_ascii_is_called_in_percent_form(
    meeting: Meeting, hook: Webhook, receiver: Receiver
) -> None:
    Webhook.objects.update(url=f"http://127.0.0.1:{receiver.server_port}/olá?para=João")
    set_state(Lease(meeting.pk, 0), State.ENDED)
    deliver()
    assert receiver.paths == ["/ol%C3%A1?para=Jo%C3%A3o"]
    assert Delivery.objects.get().delivered_at is not None


def test_every_user_has_one_before_another_has_a_second(receiver: Receiver) -> None:
    users = [User.objects.create_user(name) for name in ("ana", "bea", "eva")]
    for user, count in zip(users, (9, 2, 1), strict=True):
        hook = Webhook.objects.create(user=user, url=receiver.url)
        Delivery.objects.bulk_create(Delivery(webhook=hook, event="meeting.ready", body="{}") for _ in range(count))
    ana, bea, eva = (user.pk for user in users)

    def owners(limit: int, **busy: int) -> list[int]:
        counts = {user.pk: busy[user.username] for user in users if user.username in busy}
        return [delivery.webhook.user_id for delivery in due(limit, per_user=2, busy=counts)]

    assert owners(9) == [ana, bea, eva, ana, bea]
    assert owners(2) == [ana, bea]
    assert owners(9, ana=2) == [bea, eva, bea], "who has two under way waits"
    assert owners(3, ana=1, bea=1) == [ana, bea, eva]
    User.objects.filter(pk=bea).update(is_active=False)
    assert owners(9) == [ana, eva, ana], "accounts that are disabled are told nothing"


def test_so_many_wait_for_one_user_and_no_more(
    meeting: Meeting, hook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MAX_WAITING_DELIVERIES", 3)
    Webhook.objects.create(user=meeting.owner, url=receiver.url)
    other = Meeting.objects.create(title="Plan", owner=User.objects.create_user("bea"))
    Webhook.objects.create(user=other.owner, url=receiver.url)
    assert [webhooks.announce(meeting, "meeting.ready") for _ in range(3)] == [2, 1, 0]
    assert webhooks.announce(other, "meeting.ready") == 1
    deliver(9)
    assert webhooks.announce(meeting, "meeting.ready") == 2, "what is over makes room"
    assert Counter(Delivery.objects.values_list("webhook__user__username", flat=True)) == {"ana": 5, "bea": 1}


def test_old_ones_are_forgotten_some_at_a_time(meeting: Meeting, hook: Webhook) -> None:
    for _ in range(3):
        webhooks.announce(meeting, "meeting.ready")
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=15))
    webhooks.announce(meeting, "meeting.ready")
    assert [webhooks.delete_old(limit=2) for _ in range(3)] == [2, 1, 0]
    assert Delivery.objects.count() == 1
