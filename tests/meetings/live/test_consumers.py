"""The sockets through the front door: the ASGI application, a real broker, a real database; no worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import redis.asyncio
import structlog
from channels.testing import WebsocketCommunicator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.types import FinalCaption, Word
from meetings.accounts.link_tokens import meeting_token
from meetings.asgi import application
from meetings.broker import hints
from meetings.broker.audio_log import HOST_TTL_MS, AudioLog, audio_key, host_key
from meetings.broker.client import connect
from meetings.broker.embedded import EmbeddedBroker
from meetings.broker.shared_buckets import HOST_MESSAGES
from meetings.live import consumers
from meetings.live import host as host_module
from meetings.live.fanout import Broadcaster
from meetings.live.frames import BURST_S
from meetings.live.host import HostConsumer
from meetings.live.limits import LANGUAGES_A_MINUTE
from meetings.models import Meeting, State
from meetings.queries import WRITERS
from meetings.store import speakers
from meetings.store.speakers import label_captions
from meetings.store.transcript import Lease, commit, set_state, take_lease
from tests.meetings.outage import database_away

pytestmark = pytest.mark.django_db(transaction=True)

PCM = b"\x01\x00" * 1600
HEADERS = [(b"host", b"127.0.0.1:8000")]


@pytest.fixture(autouse=True)
def _own_broadcaster(monkeypatch: pytest.MonkeyPatch, broker: redis.asyncio.Redis) -> None:
    """A broadcaster belongs to one event loop, and each test has its own."""
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(lambda: broker))


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget", languages=["pt"])


def host_path(meeting: Meeting, extra: str = "") -> str:
    return f"/ws/host/{meeting.pk}/?token={meeting_token(meeting, 'host')}{extra}"


def viewer_path(meeting: Meeting, extra: str = "") -> str:
    return f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}{extra}"


@asynccontextmanager
async def socket(path: str) -> AsyncIterator[WebsocketCommunicator]:
    communicator = WebsocketCommunicator(application, path, headers=HEADERS)
    connected, _ = await communicator.connect(timeout=5)
    assert connected
    yield communicator
    await communicator.disconnect(timeout=5)


async def heard(communicator: WebsocketCommunicator, *kinds: str) -> dict[str, Any]:
    """The next message of one of these types; ledgers and the like in between are let pass."""
    while True:
        message: dict[str, Any] = json.loads(await communicator.receive_from(timeout=5))
        if message["type"] in kinds:
            return message


async def closed(communicator: WebsocketCommunicator) -> int:
    while True:
        output = await communicator.receive_output(timeout=5)
        if output["type"] == "websocket.close":
            return int(output["code"])


def viewers_of(meeting: Meeting) -> int:
    """How many sockets the process still serves the meeting to."""
    subscription = consumers.broadcaster._subscriptions.get(meeting.pk)
    return 0 if subscription is None else len(subscription.feed.viewers)


async def refusal(path: str) -> tuple[str, int]:
    async with socket(path) as communicator:
        return (await heard(communicator, "error"))["code"], await closed(communicator)


def frame(number: int, pcm: bytes = PCM) -> bytes:
    return struct.pack(">I", number) + pcm


async def test_links_that_open_nothing(meeting: Meeting) -> None:
    assert await refusal(f"/ws/host/{meeting.pk}/?token=wrong") == ("bad_token", 4401)
    assert await refusal(f"/ws/host/{meeting.pk}/?token={meeting_token(meeting, 'join')}") == ("bad_token", 4401)
    assert await refusal(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'host')}") == ("bad_token", 4401)
    assert await refusal(f"/ws/captions/{meeting.pk}/") == ("bad_token", 4401)
    assert await refusal("/ws/captions/nowhere/?token=x") == ("no_such_meeting", 4404)
    assert await refusal("/ws/captions/no%00where/?token=x") == ("no_such_meeting", 4404)
    for after in ("x", "-1", "1.5", "\u0663", "9" * 5_000, str(2**53)):
        assert await refusal(viewer_path(meeting, f"&after={after}")) == ("malformed", 4400)


async def test_an_ended_meeting_takes_no_host(meeting: Meeting) -> None:
    await asyncio.to_thread(set_state, Lease(meeting.pk, 0), State.ENDED)
    assert await refusal(host_path(meeting)) == ("ended", 4404)


async def test_a_host_is_told_where_to_begin_and_what_is_durable(meeting: Meeting) -> None:
    async with socket(host_path(meeting)) as host:
        first = json.loads(await host.receive_from(timeout=5))
        assert first == {"type": "ready", "next_frame": 0, "sample_rate": 16000, "frame_ms": 100}
        assert (await heard(host, "hello"))["state"] == "waiting"
        for number, expected in ((0, 0), (1, 1), (0, 1), (2, 2)):
            await host.send_to(bytes_data=frame(number))
            assert await heard(host, "ack") == {"type": "ack", "frame": expected}
        ledger = await heard(host, "ledger")
        assert ledger == {
            "type": "ledger", "captured_s": 0.3, "durable_s": 0.3, "captioned_s": 0.0, "behind_s": 0.3,
            "missing_s": 0.0, "language": "en", "detected_language": None, "next_summary_s": None,
            "summary_trouble": None, "retry_summary_s": None,
        }  # fmt: skip
    async with socket(host_path(meeting)) as host:
        assert (await heard(host, "ready"))["next_frame"] == 3


@pytest.mark.parametrize(
    ("message", "code", "close_code"),
    [
        (frame(7), "frame_gap", 4400),
        (b"\0", "malformed", 4400),
        (frame(0, b"\0" * 32_002), "frame_too_large", 4413),
        ("no json", "malformed", 4400),
        ("[1]", "malformed", 4400),
        ('{"type":"dance"}', "malformed", 4400),
        ('{"type":"set_language","language":"klingon"}', "malformed", 4400),
        ('{"type":"missing","seconds":-1}', "malformed", 4400),
        ('{"type":"pause","x":"' + "x" * 5_000 + '"}', "malformed", 4400),
        ("[" * 4_090, "malformed", 4400),
        ('{"type":"pause","x":' + "[" * 2_000 + "]" * 2_000 + "}", "malformed", 4400),
        ('{"type":"seen","seq":' + "9" * 4_000 + "}", "malformed", 4400),
        ('{"type":"missing","seconds":NaN}', "malformed", 4400),
        ('{"type":"rename_speaker","speaker":"S1","name":"\\ud800"}', "malformed", 4400),
        ('{"type":"rename_speaker","speaker":"S1","name":"\\u0000"}', "malformed", 4400),
    ],
)
async def test_what_a_host_must_not_send(
    meeting: Meeting, broker: redis.asyncio.Redis, message: bytes | str, code: str, close_code: int
) -> None:
    async with socket(host_path(meeting)) as host:
        if isinstance(message, bytes):
            await host.send_to(bytes_data=message)
        else:
            await host.send_to(text_data=message)
        error = await heard(host, "error")
        assert (error["code"], await closed(host)) == (code, close_code)
        assert error["message"].endswith(".")
    assert viewers_of(meeting) == 0, "whatever it was, the socket leaves nothing behind"
    assert not await broker.exists(host_key(meeting.pk))


async def test_what_cannot_be_done_is_said_and_the_socket_goes_on(meeting: Meeting) -> None:
    async with socket(host_path(meeting)) as host:
        await host.send_to(text_data='{"type":"summarize"}')
        assert (await heard(host, "error"))["code"] == "nothing_new"
        await host.send_to(bytes_data=frame(0))
        assert (await heard(host, "ack"))["frame"] == 0


async def test_a_flood_is_closed_however_often_it_connects(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    """Half a minute of sound is left after the first: the rest comes with time, and not with connections."""
    for attempt in range(5):
        async with socket(host_path(meeting, "&session=page")) as host:
            begin = (await heard(host, "ready"))["next_frame"]
            for number in range(begin, begin + 70):
                await host.send_to(bytes_data=frame(number, b"\0" * 32_000))
            assert (await heard(host, "error"))["code"] == "too_fast"
            assert await closed(host) == 4429
        if attempt == 0:
            assert begin + (await AudioLog(broker).state(meeting.pk)).next_frame >= BURST_S
    stored = (await AudioLog(broker).state(meeting.pk)).next_frame
    assert stored < 2 * BURST_S


async def test_pauses_are_counted_by_meeting_and_not_by_socket(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    sent = 0
    for _ in range(3):
        async with socket(host_path(meeting, "&session=page")) as host:
            await heard(host, "ready")
            for _ in range(HOST_MESSAGES.at_once):
                await host.send_to(text_data='{"type":"pause"}')
                sent += 1
            if sent > HOST_MESSAGES.at_once:
                async with asyncio.timeout(10):  # the host's status comes for ever
                    assert (await heard(host, "error"))["code"] == "too_many_messages"
                assert await closed(host) == 4429
    stored = await broker.xlen(audio_key(meeting.pk))
    assert HOST_MESSAGES.at_once <= stored < 1.5 * HOST_MESSAGES.at_once, "the rest comes with time"


async def test_a_broker_without_room_takes_no_more_sound(
    meeting: Meeting, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with socket(host_path(meeting)) as host:
        monkeypatch.setattr("meetings.broker.audio_capacity.MEMORY_SHARE", 0.0)
        monkeypatch.setattr("meetings.broker.audio_capacity.MAX_MEMORY", 0)
        await host.send_to(bytes_data=frame(0))
        assert (await heard(host, "error"))["code"] == "storage_full"
        assert await closed(host) == 4503
    assert (await AudioLog(broker).state(meeting.pk)).next_frame == 0


async def test_one_host_at_a_time(meeting: Meeting) -> None:
    async with socket(host_path(meeting, "&session=a")) as old:
        await old.send_to(bytes_data=frame(0))
        await heard(old, "ack")
        assert await refusal(host_path(meeting, "&session=b")) == ("another_host", 4409)
        async with socket(host_path(meeting, "&session=b&takeover=1")) as new:
            assert (await heard(new, "ready"))["next_frame"] == 1
            await old.send_to(bytes_data=frame(1))
            assert (await heard(old, "error"))["code"] == "another_host"
            assert await closed(old) == 4409
            await new.send_to(bytes_data=frame(1))
            assert (await heard(new, "ack"))["frame"] == 1


async def test_a_duplicated_tab_is_no_second_host(meeting: Meeting) -> None:
    """It has the same session, as the browser copies it, and is another page."""
    async with socket(host_path(meeting, "&session=tab&page=a")) as first:
        await heard(first, "ready")
        assert await refusal(host_path(meeting, "&session=tab&page=b")) == ("another_host", 4409)
        await first.send_to(bytes_data=frame(0))
        assert (await heard(first, "ack"))["frame"] == 0
        assert await refusal(host_path(meeting, "&session=tab&page=b")) == ("another_host", 4409)
        assert await refusal(host_path(meeting, "&session=tab")) == ("another_host", 4409), "who tells no page is one"
        async with socket(host_path(meeting, "&session=tab&page=b&takeover=1")) as second:
            assert (await heard(second, "ready"))["next_frame"] == 1
            await first.send_to(bytes_data=frame(1))
            assert (await heard(first, "error"))["code"] == "another_host"
            assert await closed(first) == 4409


async def test_a_connection_that_came_back_is_the_host_at_once(meeting: Meeting) -> None:
    """The server has not noticed the end of the first: nothing is asked, as the page has only one."""
    async with socket(host_path(meeting, "&session=tab&page=a")) as cut:
        await cut.send_to(bytes_data=frame(0))
        await heard(cut, "ack")
        async with socket(host_path(meeting, "&session=tab&page=a")) as back:
            assert (await heard(back, "ready"))["next_frame"] == 1
            await back.send_to(bytes_data=frame(1))
            assert (await heard(back, "ack"))["frame"] == 1
            assert (await heard(cut, "error"))["code"] == "another_host"
            assert await closed(cut) == 4409


async def test_a_page_that_was_reloaded_is_the_host_at_once(meeting: Meeting) -> None:
    for page in ("a", "b", "c"):
        async with socket(host_path(meeting, f"&session=tab&page={page}")) as host:
            await heard(host, "ready")
    async with socket(host_path(meeting, "&session=tab")) as program:
        await heard(program, "ready")


async def test_who_was_silent_hears_where_to_go_on_before_anything_is_lost(
    meeting: Meeting, broker: redis.asyncio.Redis
) -> None:
    """Its numbers are of before another host spoke; acknowledging them would throw away what it says."""
    async with socket(host_path(meeting, "&session=a")) as silent:
        assert (await heard(silent, "ready"))["next_frame"] == 0
        await broker.delete(host_key(meeting.pk))  # as after three seconds
        async with socket(host_path(meeting, "&session=b")) as other:
            await other.send_to(bytes_data=frame(0))
            await heard(other, "ack")
        await silent.send_to(bytes_data=frame(0))
        error = await heard(silent, "error")
        assert (error["code"], await closed(silent)) == ("frame_gap", 4400)
        assert error["message"].endswith("next_frame is 1.")


async def test_control_messages_become_marks_in_the_audio(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    async with socket(host_path(meeting)) as host:
        await host.send_to(bytes_data=frame(0))
        await heard(host, "ack")
        for message in (
            '{"type":"set_language","language":"pt"}',
            '{"type":"pause"}',
            '{"type":"resume"}',
            '{"type":"end"}',
        ):
            await host.send_to(text_data=message)
        await host.send_to(text_data='{"type":"missing","seconds":2}')
        while (await heard(host, "ledger"))["missing_s"] != 2.0:
            pass
    entries = (await AudioLog(broker).read({meeting.pk: b"0-0"}, block_ms=1, count=10))[meeting.pk]
    assert [(entry.mark, entry.value) for entry in entries[1:]] == [
        ("language", "pt"), ("pause", ""), ("resume", ""), ("end", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("said", [{"bytes_data": frame(0)}, {"text_data": '{"type":"end"}'}])
async def test_a_host_that_goes_on_after_a_long_silence_is_read_again(
    meeting: Meeting, broker: redis.asyncio.Redis, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coffee break of ten minutes on an open page: the worker has let the meeting go."""
    log = AudioLog(broker)
    async with socket(host_path(meeting)) as host:
        await heard(host, "hello")
        await log.retire(meeting.pk)
        monkeypatch.setattr(host_module, "WAKE_AFTER_S", 0.0)
        await host.send_to(**said)
        while await log.active() != [meeting.pk]:
            await heard(host, "ledger")


async def test_a_viewer_reads_what_is_stored_then_what_comes(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    def store(number: int) -> int:
        lease = take_lease(meeting.pk)
        final = FinalCaption(str(number), number, number + 1, f"line {number}", "en", ())
        return commit(Lease(lease.pk, lease.lease_epoch), [final], None)

    await asyncio.to_thread(store, 1)
    await asyncio.to_thread(store, 2)
    async with socket(viewer_path(meeting, "&after=1")) as viewer:
        hello = await heard(viewer, "hello")
        assert hello == {
            "type": "hello",
            "meeting": {"id": meeting.pk, "title": "Budget", "language": "en"},
            "languages": ["en", "pt"],
            "speakers": [],
            "state": "waiting",
            "last_seq": 2,
            "downloads": True,
            "summary_due": False,
        }
        assert await heard(viewer, "caption") == {
            "type": "caption", "seq": 2, "segment": "2", "revision": 0, "start": 2.0, "end": 3.0, "speaker": None,
            "unsure": False,
            "language": "en", "text": "line 2", "translation": None, "provisional": False,
        }  # fmt: skip
        seq = await asyncio.to_thread(store, 3)
        await broker.publish(hints.events_channel(meeting.pk), hints.pack([hints.StoredChange(seq)]))
        assert (await heard(viewer, "caption"))["seq"] == 3


def label_line(meeting: Meeting) -> None:
    """One line, said by S1."""
    lease = take_lease(meeting.pk)
    held = Lease(lease.pk, lease.lease_epoch)
    commit(held, [FinalCaption("1", 1, 2, "Hello.", "en", (Word(1, 2, "Hello.", 0.9),))], None)
    label_captions(held, SpeakerTurns(0, 3, (SpeakerTurn(1, 2, "S1"),)))


async def test_the_host_corrects_speakers_and_every_screen_follows(meeting: Meeting) -> None:
    await asyncio.to_thread(label_line, meeting)
    async with socket(viewer_path(meeting, "&after=3")) as viewer, socket(host_path(meeting)) as host:
        assert (await heard(viewer, "hello"))["speakers"] == [{"id": "S1", "name": None, "color": "#0072B2"}]
        await host.send_to(text_data='{"type":"rename_speaker","speaker":"S1","name":"Ana"}')
        assert await heard(viewer, "speaker") == {
            "type": "speaker", "seq": 4, "id": "S1", "name": "Ana", "color": "#0072B2", "merged_into": None,
        }  # fmt: skip
    async with socket(viewer_path(meeting)) as late:
        assert (await heard(late, "hello"))["speakers"] == [{"id": "S1", "name": "Ana", "color": "#0072B2"}]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "rename_speaker", "speaker": "S7", "name": "Ana"}, "unfit_correction"),
        ({"type": "rename_speaker", "speaker": "S1", "name": "x" * 200}, "unfit_correction"),
        ({"type": "merge_speakers", "speaker": "S1", "into": "S7"}, "unfit_correction"),
        ({"type": "assign_speaker", "segment": "9", "speaker": "S1"}, "unfit_correction"),
        ({"type": "rename_speaker", "speaker": "S1"}, "malformed"),
        ({"type": "expect_speakers", "count": 0}, "malformed"),
        ({"type": "expect_speakers", "count": 99}, "malformed"),
    ],
)
async def test_corrections_that_cannot_be_made(meeting: Meeting, message: dict[str, Any], code: str) -> None:
    await asyncio.to_thread(label_line, meeting)
    async with socket(host_path(meeting)) as host:
        await host.send_to(text_data=json.dumps(message))
        assert (await heard(host, "error"))["code"] == code


async def test_the_number_of_speakers_reaches_the_worker(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    async with socket(host_path(meeting)) as host:
        await host.send_to(text_data='{"type":"expect_speakers","count":3}')
        await host.send_to(text_data='{"type":"expect_speakers","count":null}')
        await heard(host, "ledger")
    entries = (await AudioLog(broker).read({meeting.pk: b"0-0"}, block_ms=1, count=10))[meeting.pk]
    assert [(entry.mark, entry.value) for entry in entries] == [("speakers", "3"), ("speakers", "")]


async def test_a_language_that_is_not_offered_is_said_and_the_original_is_read(meeting: Meeting) -> None:
    await asyncio.to_thread(label_line, meeting)
    async with socket(viewer_path(meeting, "&lang=es")) as viewer:
        error = await heard(viewer, "error")
        assert error["code"] == "language_unavailable"
        assert "Spanish is not available with the starter models." in error["message"]
        assert (await heard(viewer, "caption"))["translation"] is None
        await viewer.send_to(text_data='{"type":"language","language":"klingon"}')
        assert (await heard(viewer, "error"))["code"] == "language_unavailable"


async def test_faults_are_told_in_the_language_of_the_page(meeting: Meeting) -> None:
    async with socket(viewer_path(meeting, "&ui=pt&lang=es")) as viewer:
        assert "Espanhol" in (await heard(viewer, "error"))["message"].title()


async def test_a_viewer_cannot_act_as_host(meeting: Meeting) -> None:
    for attempt in ('{"type":"end"}', '{"type":"pause"}', '{"type":"set_language","language":"pt"}', frame(0)):
        async with socket(viewer_path(meeting)) as viewer:
            if isinstance(attempt, bytes):
                await viewer.send_to(bytes_data=attempt)
            else:
                await viewer.send_to(text_data=attempt)
            assert await closed(viewer) == 4400


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:8000", True),
        ("https://127.0.0.1:8000", True),
        ("http://127.0.0.1:9999", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:8000.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_only_our_own_pages_open_sockets(meeting: Meeting, origin: str | None, allowed: bool) -> None:
    headers = HEADERS + ([(b"origin", origin.encode())] if origin else [])
    communicator = WebsocketCommunicator(application, viewer_path(meeting), headers=headers)
    connected, code = await communicator.connect(timeout=5)
    assert connected is allowed
    if connected:
        await communicator.disconnect()
    else:
        assert code == 1000, "denied before it was accepted: an HTTP 403"


async def test_a_broker_that_is_away_is_said(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(connect))
    assert await refusal(host_path(meeting)) == ("storage_unavailable", 4503)


async def test_a_broker_that_hangs_is_said_within_its_bound(
    meeting: Meeting, valkey: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that gets no answer is not acknowledged; sent again it is stored once, whatever became of the first."""
    monkeypatch.setattr("meetings.broker.client.COMMAND_S", 0.5)
    hanging = connect()
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(lambda: hanging))
    assert valkey.pid is not None
    async with socket(host_path(meeting, "&session=page")) as speaker:
        await heard(speaker, "ready")
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            await speaker.send_to(bytes_data=frame(0))
            assert (await heard(speaker, "error"))["code"] == "storage_unavailable"
            assert await closed(speaker) == 4503
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
    async with socket(host_path(meeting, "&session=page")) as speaker:
        first = (await heard(speaker, "ready"))["next_frame"]
        assert first in (0, 1)
        for number in range(first, 3):
            await speaker.send_to(bytes_data=frame(number))
        acknowledged = [(await heard(speaker, "ack"))["frame"] for _ in range(first, 3)]
        assert acknowledged == list(range(first, 3))
    entries = await AudioLog(hanging).read({meeting.pk: b"0-0"}, block_ms=1, count=10)
    assert [entry.sample for entry in entries[meeting.pk]] == [0, 1600, 3200]
    await hanging.aclose()


@pytest.mark.parametrize("path", [host_path, viewer_path])
async def test_a_database_that_is_away_is_said_and_leaves_nothing(
    meeting: Meeting, broker: redis.asyncio.Redis, path: Callable[[Meeting], str]
) -> None:
    expected = {host_path: "storage_unavailable", viewer_path: "captions_unavailable"}[path]
    with database_away():
        assert await refusal(path(meeting)) == (expected, 4503)
    async with socket(path(meeting)) as communicator:
        await heard(communicator, "hello")
    assert viewers_of(meeting) == 0
    assert not await broker.exists(host_key(meeting.pk))


async def test_a_hosts_ledger_goes_on_after_the_database_was_away(
    meeting: Meeting, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its place is kept meanwhile, though it has paused."""
    monkeypatch.setattr("meetings.live.host.LEDGER_S", 0.05)
    monkeypatch.setattr("meetings.live.host.KEEP_S", 0.05)
    monkeypatch.setattr("meetings.live.outages.DEGRADED_AFTER_S", 0.2)
    async with socket(host_path(meeting)) as host:
        await host.send_to(bytes_data=frame(0))
        await heard(host, "ack")
        await host.send_to(text_data='{"type":"pause"}')
        await heard(host, "ledger")
        with database_away():
            await broker.publish(hints.events_channel(meeting.pk), hints.pack([hints.StoredChange(10)]))
            assert (await heard(host, "notice"))["state"] == "degraded"
            await broker.pexpire(host_key(meeting.pk), 60_000)
            while await broker.pttl(host_key(meeting.pk)) > HOST_TTL_MS:
                pass  # until it is said anew for how long the place is kept
        assert (await heard(host, "notice"))["state"] == "waiting"
        await heard(host, "ledger")
        await Meeting.objects.filter(pk=meeting.pk).aupdate(state=State.ENDED)
        assert await closed(host) == 1000


async def test_an_error_that_nobody_expected_is_said_and_leaves_nothing(
    meeting: Meeting, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("what somebody said")

    monkeypatch.setattr(HostConsumer, "on_pause", fail)
    with structlog.testing.capture_logs() as logs:
        async with socket(host_path(meeting)) as host:
            await heard(host, "hello")
            await host.send_to(text_data='{"type":"pause"}')
            error = await heard(host, "error")
            assert (error["code"], await closed(host)) == ("internal", 4500)
    assert "said" not in error["message"]
    [entry] = [entry for entry in logs if entry["event"] == "socket_failed"]
    assert entry["error"] == "builtins.RuntimeError"
    assert "in fail" in entry["where"]
    assert viewers_of(meeting) == 0
    assert not await broker.exists(host_key(meeting.pk))


async def test_a_socket_whose_server_ends_leaves_nothing(meeting: Meeting, broker: redis.asyncio.Redis) -> None:
    """Daphne cancels what does not end by itself."""
    communicator = WebsocketCommunicator(application, host_path(meeting), headers=HEADERS)
    await communicator.connect(timeout=5)
    await heard(communicator, "hello")
    communicator.future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await communicator.future
    assert viewers_of(meeting) == 0
    assert not await broker.exists(host_key(meeting.pk))


async def test_confirmations_of_nothing_are_counted(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "CONFIRMATIONS_A_MINUTE", 60)
    async with socket(viewer_path(meeting)) as viewer:
        await heard(viewer, "hello")
        for _ in range(62):
            await viewer.send_to(text_data='{"type":"seen","seq":0}')
        assert (await heard(viewer, "error"))["code"] == "too_many_messages"
        assert await closed(viewer) == 4429


async def test_confirmations_of_what_was_sent_are_not(
    meeting: Meeting, broker: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CONFIRMATIONS_A_MINUTE", 1)
    await asyncio.to_thread(label_line, meeting)
    async with socket(viewer_path(meeting)) as viewer:
        for kind in ("speaker", "caption"):
            seq = (await heard(viewer, kind))["seq"]
            await viewer.send_to(text_data=json.dumps({"type": "seen", "seq": seq}))
        await viewer.send_to(text_data='{"type":"language","language":"pt"}')
        assert (await heard(viewer, "resync"))["after"] == 0


async def test_a_reader_changes_languages_so_often(meeting: Meeting) -> None:
    await asyncio.to_thread(label_line, meeting)
    async with socket(viewer_path(meeting)) as viewer:
        for number in range(LANGUAGES_A_MINUTE):
            await viewer.send_to(text_data=json.dumps({"type": "language", "language": ("pt", "")[number % 2]}))
            await heard(viewer, "resync")
        await viewer.send_to(text_data='{"type":"language","language":""}')
        await viewer.send_to(text_data='{"type":"language","language":"pt"}')
        error = await heard(viewer, "error", "resync")
        assert error["code"] == "too_many_messages", "the language that it reads already costs nothing"
        assert await closed(viewer) == 4429


async def test_one_slow_correction_keeps_nobody_waiting(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge of thousands of lines, or a wait for the lock of the database."""
    may_end = threading.Event()
    monkeypatch.setattr(speakers, "merge_speakers", lambda *_: may_end.wait(30))
    async with AsyncExitStack() as stack:
        hosts = [
            await stack.enter_async_context(socket(host_path(meeting, f"&session={number}&takeover=1")))
            for number in range(WRITERS + 1)
        ]
        for host in hosts:
            await host.send_to(text_data='{"type":"merge_speakers","speaker":"S1","into":"S2"}')
        async with socket(viewer_path(meeting)) as viewer:
            await heard(viewer, "hello")
        async with socket(host_path(meeting, "&session=speaking&takeover=1")) as host:
            await host.send_to(bytes_data=frame(0))
            await heard(host, "ack")
            await heard(host, "ledger")
        may_end.set()


DEEP = st.integers(1, 4_000).flatmap(
    lambda depth: st.sampled_from(
        ["[" * depth, '{"a":' * (depth // 5), "[" * (depth // 2) + "]" * (depth // 2), "9" * depth, "-" * depth]
    )
)
"""JSON, or nearly, that is as deep or as long as a message may be."""

MESSAGES = st.one_of(
    DEEP,
    DEEP.map(lambda deep: '{"type":"seen","seq":' + deep + "}"),
    st.binary(max_size=200),
    st.text(max_size=200),
    st.dictionaries(
        st.sampled_from(["type", "seq", "language", "seconds", "frame"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
            st.characters(categories=["Cs", "Cc"]),
            st.lists(st.integers(), max_size=3),
            st.sampled_from(["seen", "language", "pause", "missing", "set_language", "rename_speaker", "__init__"]),
            st.sampled_from([10**400, 2**63, 2**53, -1]),
        ),
    ).map(json.dumps),
)  # fmt: skip


@given(messages=st.lists(MESSAGES, max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_message_breaks_a_consumer(meeting: Meeting, broker_sync: redis.Redis, messages: list[bytes | str]) -> None:
    """Whatever is sent, the consumer answers or closes with a code of the contract; an exception would end the test."""

    async def play() -> None:
        broker = connect()
        consumers.broadcaster = Broadcaster(lambda: broker)
        for path in (host_path(meeting, "&takeover=1"), viewer_path(meeting)):
            async with socket(path) as communicator:
                for message in messages:
                    if isinstance(message, bytes):
                        await communicator.send_input({"type": "websocket.receive", "bytes": message})
                    else:
                        await communicator.send_input({"type": "websocket.receive", "text": message})
        assert viewers_of(meeting) == 0
        assert not await broker.exists(host_key(meeting.pk))
        await broker.aclose()

    asyncio.run(play())
