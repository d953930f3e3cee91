"""Replay of a recorded file into a meeting through the host socket, like a browser.

Frames are kept until they are acknowledged. After a disconnect, the socket is reopened and unacknowledged frames are
sent again. Like a reloaded page, a replay continues after whatever audio the meeting already has.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from inference.audio import SAMPLE_RATE, float_to_pcm16
from meetings.live.frames import FRAME_MS, HEADER

FRAME_S = FRAME_MS / 1000
FRAME_SAMPLES = SAMPLE_RATE * FRAME_MS // 1000

MAX_UNACKNOWLEDGED = 40
"""Frames in flight: 4 s of audio, so that a slow server slows the sender down instead of queueing."""

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""Bounds of the random pause before a retry; its upper bound doubles with each attempt up to the longest."""

RECONNECT_GIVE_UP_S = 120.0
"""Without a connection."""

FINAL_CLOSE_CODES = {
    4400: "The server did not understand the replay; are both of one version?",
    4401: "The server does not take this host token; run replay with the PARLANCE_DATA and SECRET_KEY of the server.",
    4404: "The server has no such meeting, or it has ended; create one with `manage.py meeting create`.",
    4409: "Another host is live in this meeting; stop it, or try again a few seconds after it has stopped.",
    4413: "The server takes no frames of 0.1 s.",
    4429: "The server takes audio at most about four times as fast as real time; use a lower --speed.",
}
"""Close codes after which a retry would fail in the same way."""


class ReplayRefused(Exception):
    """The server rejects the audio; the message says why."""


class ServerUnreachable(ConnectionError):
    """The server does not answer."""


@dataclass(frozen=True, slots=True)
class ReplayFrame:
    """A tenth of a second of signed 16-bit little-endian samples; the last of a file may be shorter."""

    number: int
    pcm: bytes

    def message(self, first: int) -> bytes:
        """Return the wire format, where `first` is the number of the file's first frame."""
        return HEADER.pack(first + self.number) + self.pcm


def file_frames(blocks: Iterable[np.ndarray]) -> Iterator[ReplayFrame]:
    """Cut float32 blocks at SAMPLE_RATE into frames."""
    rest = np.zeros(0, np.float32)
    number = 0
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= FRAME_SAMPLES:
            yield ReplayFrame(number, float_to_pcm16(rest[:FRAME_SAMPLES]))
            rest, number = rest[FRAME_SAMPLES:], number + 1
    if len(rest):
        yield ReplayFrame(number, float_to_pcm16(rest))


def jittered_pause(attempt: int) -> float:
    """Return the seconds before retry `attempt` (from 0): full jitter, so that hosts do not all return at once."""
    return random.uniform(0, min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2**attempt))  # noqa: S311


class FrameWindow:
    """Unacknowledged frames, and which one to send next. Uses no sockets and no clocks."""

    def __init__(self, frames: Iterable[ReplayFrame]) -> None:
        self._frames = iter(frames)
        self._kept: deque[ReplayFrame] = deque()
        self._sent = 0
        """How many of `_kept` were sent over the present connection."""
        self._is_read = False

    @property
    def is_done(self) -> bool:
        """Whether the whole file is durable."""
        return self._is_read and not self._kept

    def resume(self, next_frame: int) -> None:
        """Start a new connection: the server has every frame before `next_frame` and wants the rest."""
        self._drop_before(next_frame)
        self._sent = 0
        while not self._kept and (frame := self._read()) is not None:
            if frame.number >= next_frame:
                self._kept.append(frame)
        if self._kept and self._kept[0].number > next_frame:
            raise ReplayRefused(f"The server wants frame {next_frame} again, which it had acknowledged.")

    def take(self) -> ReplayFrame | None:
        """Return the frame to send now; None: too many are in flight, or the file has no more."""
        if self._sent == MAX_UNACKNOWLEDGED:
            return None
        if self._sent == len(self._kept):
            frame = self._read()
            if frame is None:
                return None
            self._kept.append(frame)
        self._sent += 1
        return self._kept[self._sent - 1]

    def acknowledge(self, number: int) -> None:
        """Record that every frame up to `number` is durable."""
        before = len(self._kept)
        self._drop_before(number + 1)
        self._sent = max(0, self._sent - (before - len(self._kept)))

    def _read(self) -> ReplayFrame | None:
        frame = next(self._frames, None)
        self._is_read = frame is None
        return frame

    def _drop_before(self, number: int) -> None:
        while self._kept and self._kept[0].number < number:
            self._kept.popleft()


class Replay:
    """The replay of one file into one meeting."""

    def __init__(
        self,
        frames: Iterable[ReplayFrame],
        url: str,
        *,
        speed: float = 1.0,
        pause: Callable[[int], float] = jittered_pause,
        on_stored: Callable[[int], object] = lambda _: None,
    ) -> None:
        """`url` is the host socket's, with its token; `on_stored` is called with the file's newest durable frame."""
        self._window = FrameWindow(frames)
        self._url = f"{url}&session={uuid.uuid4().hex}"
        self._speed = speed
        self._pause = pause
        self._on_stored = on_stored
        self._acknowledged = asyncio.Event()
        self._first: int | None = None
        """The meeting's number of the file's first frame; set by the first connection."""
        self._epoch: float | None = None
        """Clock time at which frame 0 would have started."""

    async def run(self) -> None:
        """Return when every frame is durable.

        Raises:
            ReplayRefused: the server closed with a code that a retry would not change.
            ServerUnreachable: the first attempt failed, or all for GIVE_UP_S since the last connection.
        """
        contact: float | None = None
        attempt = 0
        while True:
            try:
                async with connect(self._url) as socket:
                    attempt = 0
                    await self._talk(socket)
                    return
            except ConnectionClosed as closed:
                _raise_refusal(closed)
                contact = time.monotonic()
            except (OSError, InvalidHandshake) as error:
                if contact is None or time.monotonic() - contact > RECONNECT_GIVE_UP_S:
                    raise _unreachable(self._url, error) from error
            await asyncio.sleep(self._pause(attempt))
            attempt += 1

    async def _talk(self, socket: ClientConnection) -> None:
        """Use one connection; return when the whole file is durable."""
        next_frame = await _next_frame(socket)
        first = self._first = next_frame if self._first is None else self._first
        self._window.resume(next_frame - first)
        sending = asyncio.create_task(self._send(socket, first))
        listening = asyncio.create_task(self._listen(socket, first))
        try:
            done, _ = await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            sending.cancel()
            listening.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)

    async def _send(self, socket: ClientConnection, first: int) -> None:
        while True:
            frame = self._window.take()
            if frame is not None:
                await asyncio.sleep(self._until_spoken(frame, time.monotonic()))
                await socket.send(frame.message(first))
            elif self._window.is_done:
                return
            else:
                self._acknowledged.clear()
                await self._acknowledged.wait()

    async def _listen(self, socket: ClientConnection, first: int) -> None:
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "ack":
                number = message["frame"] - first
                self._window.acknowledge(number)
                self._on_stored(number)
                self._acknowledged.set()

    def _until_spoken(self, frame: ReplayFrame, now: float) -> float:
        """Return the seconds until the frame's last sample is due. Frames delayed by a disconnect are sent at once."""
        if self._epoch is None:
            self._epoch = now - frame.number * FRAME_S / self._speed
        return max(0.0, self._epoch + (frame.number + 1) * FRAME_S / self._speed - now)


async def _next_frame(socket: ClientConnection) -> int:
    """Return the next frame number from the server's first message; a refusal closes the socket instead."""
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == "ready":
            return int(message["next_frame"])


def _raise_refusal(closed: ConnectionClosed) -> None:
    code = closed.rcvd.code if closed.rcvd else None
    if code in FINAL_CLOSE_CODES:
        raise ReplayRefused(FINAL_CLOSE_CODES[code]) from closed


def _unreachable(url: str, error: Exception) -> Exception:
    server = url.partition("/ws/")[0]
    if isinstance(error, InvalidStatus):
        return ReplayRefused(f"{server} answers HTTP {error.response.status_code} instead of a host socket.")
    return ServerUnreachable(f"Nobody answers at {server}; start `manage.py live`, or give --server.")
