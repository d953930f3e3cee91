"""One reader that never reads, one host that floods: the web process stays small and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect

from meetings.live.frames import BURST_S, MAX_PCM_BYTES
from tests.live import MeetingLinks, RunningParlance
from tests.memory import Peak
from tests.rawsocket import TEXT, RawWebSocket, client_frame

pytestmark = pytest.mark.xdist_group("processes")

MEGABYTE = 1_000_000
CAPTIONS = 750
CAPTION_BYTES = 5_000
CONFIRM_EVERY = 50
TIMEOUT_S = 180.0
"""On a busy machine."""


@pytest.fixture(scope="module")
def empty_meeting(parlance: RunningParlance) -> MeetingLinks:
    return parlance.create_meeting()


def feed(parlance: RunningParlance, links: MeetingLinks) -> None:
    with parlance.feeding(links.id, count=CAPTIONS, size=CAPTION_BYTES, batch=10):
        assert read_to_the_end(links, CAPTIONS) == list(range(1, CAPTIONS + 1))


def read_to_the_end(links: MeetingLinks, last: int) -> list[int]:
    """The `seq` of everything that a viewer gets who reads and confirms as the contract asks."""
    return asyncio.run(asyncio.wait_for(_read_to_the_end(links, last), TIMEOUT_S))


async def _read_to_the_end(links: MeetingLinks, last: int) -> list[int]:
    seqs: list[int] = []
    async with connect(links.viewer(), max_size=None) as socket:
        while not seqs or seqs[-1] < last:
            message = json.loads(await socket.recv())
            if message["type"] == "caption":
                seqs.append(message["seq"])
                if len(seqs) % CONFIRM_EVERY == 0:
                    await socket.send(json.dumps({"type": "seen", "seq": seqs[-1]}))
    return seqs


def wake_up(staller: RawWebSocket) -> tuple[list[int], list[dict[str, Any]]]:
    """Reads and confirms at last: the `seq` of all captions in the order they come, and what else is said but ticks."""
    seqs: list[int] = []
    others = []
    while not seqs or seqs[-1] < CAPTIONS:
        message = staller.receive_json()
        if message["type"] != "caption":
            others += [message] if message["type"] != "tick" else []
            continue
        seqs.append(message["seq"])
        if len(seqs) % CONFIRM_EVERY == 0:
            staller.send_json({"type": "seen", "seq": seqs[-1]})
    return seqs, others


def test_a_viewer_that_never_reads_costs_little_and_loses_nothing(parlance: RunningParlance) -> None:
    feed(parlance, parlance.create_meeting())  # the process has grown to what such a feed needs without a staller
    links = parlance.create_meeting()
    with RawWebSocket(links.viewer(), receive_buffer=4_096) as staller:
        assert staller.receive_json()["type"] == "hello"
        peak = Peak(parlance.process("web"))
        feed(parlance, links)
        assert peak.growth() < 2 * MEGABYTE
        seqs, others = wake_up(staller)
    assert seqs == list(range(1, CAPTIONS + 1))
    assert [message["type"] for message in others] == ["resync"]
    assert 0 < others[0]["after"] < CAPTIONS


def flood_with(socket: RawWebSocket, frame: bytes, *, limit: int) -> None:
    """Sends the frame until `limit` bytes are out or the server hangs up; a close frame is not obeyed."""
    for _ in range(0, limit, len(frame)):
        try:
            socket.send_bytes(frame)
        except ConnectionError:
            return


@contextmanager
def undisturbed_meeting(parlance: RunningParlance) -> Iterator[None]:
    """Another meeting runs beside the block; its viewer must get every caption, in order."""
    links = parlance.create_meeting()
    count = 200
    with ThreadPoolExecutor(1) as beside:
        received = beside.submit(read_to_the_end, links, count)
        with parlance.feeding(links.id, count=count, rate=100):
            yield
        assert received.result() == list(range(1, count + 1))


def test_a_host_that_sends_audio_too_fast_is_told_so(parlance: RunningParlance) -> None:
    links = parlance.create_meeting()
    peak = Peak(parlance.process("web"))
    second = bytes(MAX_PCM_BYTES)
    with undisturbed_meeting(parlance), RawWebSocket(links.host()) as host:
        assert host.receive_json() == {"type": "ready", "next_frame": 0, "sample_rate": 16_000, "frame_ms": 100}
        for number in range(int(BURST_S) * 4):
            try:
                host.send(struct.pack(">I", number) + second)
            except ConnectionError:
                break
        messages = replies(host)
    acks = [message["frame"] for message in messages if message["type"] == "ack"]
    assert acks == list(range(len(acks)))
    assert len(acks) >= BURST_S
    assert messages[-2:] == [
        {"type": "error", "code": "too_fast", "message": "Audio arrives faster than four times real time."},
        {"type": "close", "code": 4429},
    ]
    assert peak.growth() < 32 * MEGABYTE


def replies(host: RawWebSocket) -> list[dict[str, Any]]:
    """Acks, errors and the close code, in order."""
    messages = []
    while not messages or messages[-1]["type"] != "close":
        message = host.receive_json_or_close()
        if message["type"] in ("ack", "error", "close"):
            messages.append(message)
    return messages


def test_a_host_that_floods_with_junk_is_cut_off(parlance: RunningParlance) -> None:
    links = parlance.create_meeting()
    peak = Peak(parlance.process("web"))
    with undisturbed_meeting(parlance), RawWebSocket(links.host()) as host:
        flood_with(host, client_frame(b"\xff" * 60_000, 2), limit=100 * MEGABYTE)
    assert peak.growth() < 32 * MEGABYTE
    with RawWebSocket(links.host()) as host:
        assert host.receive_json()["next_frame"] == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 4400),
        (struct.pack(">I", 0), 4400),
        (struct.pack(">I", 0) + b"odd", 4400),
        (struct.pack(">I", 0) + bytes(MAX_PCM_BYTES + 2), 4413),
        (bytes(65_537), 4413),
        (struct.pack(">I", 1) + bytes(3_200), 4400),
    ],
    ids=["empty", "no samples", "half a sample", "more than a second", "more than a message", "out of order"],
)
def test_a_frame_that_cannot_be_taken_ends_the_socket_with_its_code(
    empty_meeting: MeetingLinks, payload: bytes, code: int
) -> None:
    with RawWebSocket(empty_meeting.host(session="same")) as host:
        host.send(payload)
        assert replies(host)[-1]["code"] == code


def test_a_viewer_that_floods_with_text_is_cut_off(parlance: RunningParlance) -> None:
    links = parlance.create_meeting()
    peak = Peak(parlance.process("web"))
    with undisturbed_meeting(parlance), RawWebSocket(links.viewer()) as viewer:
        flood_with(viewer, client_frame(b"[" * 60_000, TEXT), limit=100 * MEGABYTE)
    assert peak.growth() < 32 * MEGABYTE
