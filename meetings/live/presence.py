"""Check whether a host's socket is alive, by asking the web process that holds it.

Two sockets with the same `session` may be a reloaded page, a reconnection, or a duplicated tab. Only the other end of
the first one can tell: so that end is pinged (a WebSocket ping, which browsers answer even for a sleeping tab).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import redis.asyncio
from redis.exceptions import RedisError

from meetings import supervise
from meetings.broker.subscription import BrokerSubscription

LINK = "parlance.link"
"""Extension of the ASGI scope: the server's end of a socket (`Link`)."""

PRESENCE_PING_S = 1.0
"""How long a browser may take to answer."""

PRESENCE_ANSWER_S = 1.5
"""How long the process that holds the socket may take in total."""

Lives = Callable[[], Awaitable[bool]]


class Link(Protocol):
    """The server's interface to one socket."""

    async def answers(self, within_s: float) -> bool:
        """Return whether a ping is answered in time."""


class Probes:
    """Pings of one socket that wait for their pongs."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}

    async def ask(self, send: Callable[[bytes], object], within_s: float) -> bool:
        """Send a random payload with `send`; return whether it is echoed in time."""
        payload = secrets.token_bytes(8)
        answer = self._waiting[payload] = asyncio.get_running_loop().create_future()
        send(payload)
        try:
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError:
            return False
        finally:
            del self._waiting[payload]

    def answer(self, payload: bytes) -> bool:
        """Handle a pong; return whether it answers one of these pings."""
        waiting = self._waiting.get(payload)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(True)
        return True

    def close(self) -> None:
        """Fail all pings, since the connection is gone."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(False)


def process_channel(process: str) -> str:
    return f"parlance:web:{process}"


class Presence:
    """The hosts' sockets of one process, and queries for those of other processes."""

    def __init__(self, broker: redis.asyncio.Redis) -> None:
        self._broker = broker
        self._process = uuid.uuid4().hex
        self._here: dict[str, Lives] = {}
        self._listener: PresenceListener | None = None

    def new_connection(self) -> str:
        """Return a name for a socket from which every process can tell which process holds it."""
        return f"{self._process}.{uuid.uuid4().hex}"

    async def enter(self, connection: str, lives: Lives) -> None:
        """Answer queries about the socket from now on. Returns once subscribed, or after a while without the broker."""
        self._here[connection] = lives
        if self._listener is None:
            self._listener = PresenceListener(
                BrokerSubscription(self._broker, process_channel(self._process)), self._reply
            )
        await self._listener.ready()

    def leave(self, connection: str) -> None:
        self._here.pop(connection, None)
        if not self._here and self._listener is not None:
            self._listener.close()
            self._listener = None

    async def lives(self, connection: str) -> bool:
        """Return whether a socket of any process is still connected."""
        process, _, _ = connection.rpartition(".")
        if not process:
            return True  # not a socket but an upload or the sample, fed by a worker or a page
        if process == self._process:
            return await self._lives_here(connection)
        reply = f"parlance:alive:{uuid.uuid4().hex}"
        question = json.dumps({"connection": connection, "reply": reply})
        if not await self._broker.publish(process_channel(process), question):
            return False
        answer: Any = await self._broker.blpop([reply], timeout=PRESENCE_ANSWER_S)
        return answer is not None and answer[1] == b"1"

    async def _lives_here(self, connection: str) -> bool:
        lives = self._here.get(connection)
        return lives is not None and await lives()

    async def _reply(self, data: bytes) -> None:
        match json.loads(data):
            case {"connection": str(connection), "reply": str(reply)}:
                answer = int(await self._lives_here(connection))
                async with self._broker.pipeline(transaction=True) as together:
                    together.rpush(reply, answer)
                    together.pexpire(reply, round(PRESENCE_ANSWER_S * 4000))
                    await together.execute()


class PresenceListener:
    """Answer queries, several at a time, since an answer may take a second."""

    def __init__(self, channel: BrokerSubscription, reply: Callable[[bytes], Awaitable[None]]) -> None:
        self._channel = channel
        self._reply = reply
        self._is_ready = asyncio.Event()
        self._replies: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run(), name="presence")

    async def ready(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENCE_ANSWER_S):
                await self._is_ready.wait()

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        try:
            await supervise.run_forever("presence", self._listen)
        finally:
            for reply in self._replies:
                reply.cancel()
            await self._channel.close()

    async def _listen(self) -> None:
        if not self._channel.is_open:
            await self._channel.open()
            self._is_ready.set()
        question = await self._channel.next()
        if question is not None:
            task = asyncio.create_task(self._answer(question))
            self._replies.add(task)
            task.add_done_callback(self._replies.discard)

    async def _answer(self, question: bytes) -> None:
        """Answer once. The asking process takes silence as a no, so errors are not retried."""
        with suppress(RedisError, ConnectionError, ValueError):
            await self._reply(question)
