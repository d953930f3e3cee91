"""No word that was said, and nothing that opens a meeting, stands in logs or metrics: canaries are sent every way.

Logs are at the levels of a server, as `meetings.logs` sets them. Those of real processes, with models and a browser,
are looked through in `tests/browser/test_sample.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis.asyncio
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client
from prometheus_client import generate_latest

from inference.types import FinalCaption, Word
from meetings.accounts.api_tokens import create_token
from meetings.accounts.join_codes import join_code
from meetings.accounts.link_tokens import meeting_token
from meetings.accounts.signin import one_time_link
from meetings.broker import hints
from meetings.live import consumers
from meetings.live.fanout import Broadcaster
from meetings.models import Meeting
from meetings.store.transcript import Lease, commit, take_lease
from tests.conftest import REPOSITORY
from tests.meetings.live.test_consumers import closed, frame, heard, socket
from tests.silence import secrets_of, told

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "zephyrine-marmalade"
PASSWORD = "basalt-cormorant"


def say(meeting: Meeting) -> int:
    row = take_lease(meeting.pk)
    final = FinalCaption("1", 0.0, 1.0, f"The {CANARY} is late.", "en", (Word(0.0, 1.0, CANARY, 0.9),))
    return commit(Lease(row.pk, row.lease_epoch), [final], None)


def browse(meeting: Meeting, client: Client) -> list[str]:
    """Goes everywhere with what opens and with what does not; returns what must not be seen again."""
    tokens = [meeting_token(meeting, "join"), meeting_token(meeting, "host"), create_token(User.objects.get(), "x")]
    sign_in = one_time_link("http://testserver").removeprefix("http://testserver")
    tokens.append(sign_in.rstrip("/").rpartition("/")[2])
    for token in tokens[:2]:
        for page in (f"/m/{meeting.pk}/", f"/host/{meeting.pk}/", f"/m/{meeting.pk}/transcript.txt", "/m/none/"):
            client.get(page, {"token": token})
            client.post(page, {"token": token})
    codes = [join_code(meeting), "7K0-1MZ-X2P"]
    for code in codes:
        client.post("/join/", {"code": code})
    client.post("/v1/audio/transcriptions", headers={"Authorization": f"Bearer {tokens[2]}"})
    client.post("/login/", {"username": CANARY, "password": PASSWORD})
    client.get(sign_in)
    client.get(sign_in)
    client.get("/", {"q": CANARY})
    client.get("/admin/meetings/caption/", {"q": CANARY})
    return [*tokens, *codes]


async def test_canaries_are_not_seen_again(
    broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(lambda: broker))
    owner = await User.objects.acreate(username="ana", is_staff=True, is_superuser=True)
    meeting = await Meeting.objects.acreate(title=f"About the {CANARY}", owner=owner)
    tokens = await database_sync_to_async(browse)(meeting, Client(raise_request_exception=False))
    join, host = tokens[:2]
    async with (
        socket(f"/ws/captions/{meeting.pk}/?token={join}") as viewer,
        socket(f"/ws/host/{meeting.pk}/?token={host}") as speaker,
    ):
        await speaker.send_to(bytes_data=frame(0))
        await speaker.send_to(text_data=json.dumps({"type": "rename_speaker", "speaker": "S9", "name": CANARY}))
        seq = await database_sync_to_async(say)(meeting)
        await broker.publish(hints.events_channel(meeting.pk), hints.pack([hints.StoredChange(seq)]))
        assert CANARY in (await heard(viewer, "caption"))["text"]
        await viewer.send_to(text_data=json.dumps({"type": CANARY}))
        await closed(viewer)
    async with socket(f"/ws/host/{meeting.pk}/?token={join}") as refused:
        await closed(refused)
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records) + "".join(capfd.readouterr())
    measured = generate_latest().decode()
    assert "parlance_" in measured
    for secret in (CANARY, PASSWORD, *tokens):
        assert secret not in logged
        assert secret not in measured


def test_the_look_through_logs_sees_what_is_there() -> None:
    log = '{"event": "stored", "said": "We AGREED, that the budget", "path": "/m/1/?token=abcdefghijklmnop"}'
    secrets = secrets_of("ws://server/ws/captions/1/?token=abcdefghijklmnop&after=0")
    assert told(log, spoken=["Have we agreed that it is?", "agreed that"], secrets=secrets) == [
        "we agreed that",
        "abcdefghijklmnop",
    ]


def test_nothing_traces() -> None:
    """Were there an exporter of traces, it would have to pass the test above too."""
    sources = [path.read_text(encoding="utf-8") for path in Path(REPOSITORY).glob("meetings/**/*.py")]
    assert [source for source in sources if "opentelemetry" in source or "sentry_sdk" in source] == []
