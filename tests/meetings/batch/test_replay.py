from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from meetings.batch.replay import (
    FRAME_SAMPLES,
    MAX_UNACKNOWLEDGED,
    FrameWindow,
    Replay,
    ReplayFrame,
    ReplayRefused,
    ServerUnreachable,
    file_frames,
    jittered_pause,
)
from meetings.live.frames import HEADER

FAST = 1e6
"""Speed at which nothing is waited for."""

WITHOUT_A_WORD = 1006
"""What a client sees when the server is gone; never sent."""


def numbered(count: int) -> list[ReplayFrame]:
    return [ReplayFrame(number, number.to_bytes(2, "little")) for number in range(count)]


@dataclass
class ScriptedServer:
    """The host socket of the contract over a list: every connection ends as the script says."""

    cuts: list[tuple[int, int]] = field(default_factory=list)
    """(frames to take, close code) of each connection but the last."""
    stored: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def talk(self, socket: ServerConnection) -> None:
        self.connections += 1
        limit, code = self.cuts[self.connections - 1] if self.connections <= len(self.cuts) else (None, 1000)
        await socket.send(json.dumps({"type": "ready", "next_frame": len(self.stored)}))
        taken = 0
        while limit is None or taken < limit:
            message = await socket.recv()
            assert isinstance(message, bytes)
            self._store(message)
            taken += 1
            await socket.send(json.dumps({"type": "hello"}))
            await socket.send(json.dumps({"type": "ack", "frame": len(self.stored) - 1}))
        if code == WITHOUT_A_WORD:
            socket.transport.abort()
        else:
            await socket.close(code)

    def _store(self, message: bytes) -> None:
        (number,) = HEADER.unpack_from(message)
        assert number <= len(self.stored), "a gap"
        if number == len(self.stored):
            self.stored.append(message[HEADER.size :])


@asynccontextmanager
async def serving(server: ScriptedServer) -> AsyncIterator[str]:
    async with serve(server.talk, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/host/m/?token=t"


async def replay(server: ScriptedServer, frames: Iterable[ReplayFrame]) -> None:
    async with serving(server) as url:
        await Replay(frames, url, speed=FAST, pause=lambda attempt: 0.0).run()


async def test_every_frame_arrives_once_and_in_order() -> None:
    server = ScriptedServer()
    await replay(server, numbered(100))
    assert server.stored == [frame.pcm for frame in numbered(100)]
    assert server.connections == 1


@pytest.mark.parametrize("code", [1001, WITHOUT_A_WORD, 1011, 1012, 1013])
async def test_a_cut_connection_continues_where_the_server_stopped(code: int) -> None:
    server = ScriptedServer(cuts=[(30, code), (0, 1012), (45, 1012)])
    await replay(server, numbered(100))
    assert server.stored == [frame.pcm for frame in numbered(100)]
    assert server.connections == 4


async def test_a_second_replay_follows_the_first() -> None:
    heard_before = [b"before"] * 60
    server = ScriptedServer(stored=list(heard_before), cuts=[(30, 1012)])
    stored: list[int] = []
    async with serving(server) as url:
        await Replay(numbered(100), url, speed=FAST, pause=lambda attempt: 0.0, on_stored=stored.append).run()
    assert server.stored == heard_before + [frame.pcm for frame in numbered(100)]
    assert stored[-1] == 99


@pytest.mark.parametrize(
    ("code", "sentence"), [(4401, "does not take this host token"), (4404, "no such meeting"), (4409, "Another host")]
)
async def test_a_refusal_ends_with_a_sentence(code: int, sentence: str) -> None:
    with pytest.raises(ReplayRefused, match=sentence):
        await replay(ScriptedServer(cuts=[(0, code)]), numbered(5))


async def test_a_refusal_before_ready_ends_with_the_same_sentence() -> None:
    async def refuse(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "error", "code": "bad_token", "message": "No."}))
        await socket.close(4401)

    async with serve(refuse, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        with pytest.raises(ReplayRefused, match="does not take this host token"):
            await Replay(numbered(1), f"ws://127.0.0.1:{port}/ws/host/m/?token=t").run()


async def test_nobody_there_is_told_at_once(unused_tcp_port: int) -> None:
    with pytest.raises(ServerUnreachable, match=rf"Nobody answers at ws://127\.0\.0\.1:{unused_tcp_port}; start"):
        await Replay(numbered(1), f"ws://127.0.0.1:{unused_tcp_port}/ws/host/m/?token=t").run()


async def test_a_page_that_is_no_host_socket_is_told_apart() -> None:
    async with serve(lambda socket: asyncio.sleep(0), "127.0.0.1", 0, process_request=_forbidden) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        with pytest.raises(ReplayRefused, match="answers HTTP 403"):
            await Replay(numbered(1), f"ws://127.0.0.1:{port}/ws/host/m/?token=t").run()


def _forbidden(connection: ServerConnection, request: object) -> object:
    return connection.respond(403, "no")


async def test_a_slow_server_holds_the_sender_back() -> None:
    received: asyncio.Queue[int] = asyncio.Queue()
    go_on = asyncio.Event()

    async def slow(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "ready", "next_frame": 0}))
        for number in range(100):
            await socket.recv()
            received.put_nowait(number)
            if number == MAX_UNACKNOWLEDGED - 1:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(socket.recv(), 0.2)
                go_on.set()
            if go_on.is_set():
                await socket.send(json.dumps({"type": "ack", "frame": number}))
        await socket.wait_closed()

    async with serve(slow, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        await Replay(numbered(100), f"ws://127.0.0.1:{port}/ws/host/m/?token=t", speed=FAST).run()
    assert received.qsize() == 100


def test_frames_are_due_when_their_last_sample_is_spoken() -> None:
    twice = Replay([], "ws://x/ws/?", speed=2.0)
    assert twice._until_spoken(ReplayFrame(10, b""), now=100.0) == pytest.approx(0.05)
    assert twice._until_spoken(ReplayFrame(11, b""), now=100.0) == pytest.approx(0.10)
    assert twice._until_spoken(ReplayFrame(30, b""), now=108.0) == 0.0


@given(st.lists(st.integers(min_value=0, max_value=4000), max_size=8))
def test_a_file_in_frames_is_the_file(lengths: list[int]) -> None:
    samples = (np.arange(sum(lengths)) % 65_536 - 32_768).astype(np.int16)
    blocks = np.split(samples.astype(np.float32) / 32_768, np.cumsum(lengths)[:-1] if lengths else [])
    frames = list(file_frames(blocks))
    assert b"".join(frame.pcm for frame in frames) == samples.tobytes()
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert all(len(frame.pcm) == 2 * FRAME_SAMPLES for frame in frames[:-1])


def test_loud_samples_are_clipped_not_wrapped() -> None:
    (frame,) = file_frames([np.array([1.5, -1.5, 1.0], np.float32)])
    assert np.frombuffer(frame.pcm, "<i2").tolist() == [32_767, -32_768, 32_767]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=10))
def test_any_sequence_of_cuts_and_acknowledgements_loses_nothing(steps: list[tuple[int, int]]) -> None:
    """Each connection sends some frames, of which the server stores some, and acknowledges some of those."""
    window, stored, total = FrameWindow(numbered(100)), 0, 100
    for sends, stores in [*steps, *[(60, 60)] * 10]:
        window.resume(stored)
        sent = [frame.number for _ in range(sends) if (frame := window.take()) is not None]
        assert sent == list(range(stored, stored + len(sent)))
        assert len(sent) <= MAX_UNACKNOWLEDGED
        stored += min(stores, len(sent))
        if stores % 2:
            window.acknowledge(stored - 1)
    window.resume(stored)
    assert (stored, window.take(), window.is_done) == (total, None, True)


def test_audio_that_was_acknowledged_and_lost_is_not_passed_over() -> None:
    window = FrameWindow(numbered(10))
    window.resume(0)
    window.take()
    window.acknowledge(0)
    with pytest.raises(ReplayRefused, match="frame 0 again, which it had acknowledged"):
        window.resume(0)


def test_pauses_between_tries_grow_and_are_bounded() -> None:
    assert all(0 <= jittered_pause(0) <= 0.5 for _ in range(100))
    assert all(0 <= jittered_pause(50) <= 15.0 for _ in range(100))
    assert len({jittered_pause(3) for _ in range(10)}) > 1
