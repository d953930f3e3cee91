"""A viewer for long sessions: reads one language, confirms, counts, and keeps only the newest text of each caption."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.live import MeetingLinks, Message

RETRY_S = 0.2


@dataclass
class CountingReader:
    """Reconnects after a disconnect and resumes where it stopped."""

    links: MeetingLinks
    language: str = ""
    """Empty for the spoken language."""
    seq: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    """By type."""
    connections: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    """By segment."""
    _socket: ClientConnection | None = None

    async def watch(self) -> None:
        """Read until the meeting has ended."""
        while not await self._listen(until_seq=None):  # noqa: ASYNC110
            await asyncio.sleep(RETRY_S)

    async def catch_up(self) -> None:
        """Read what is stored, as a late viewer, and disconnect."""
        while not await self._listen(until_seq=self.seq):  # noqa: ASYNC110
            await asyncio.sleep(RETRY_S)

    async def leave(self) -> None:
        """Close the connection; `watch` reconnects."""
        if self._socket is not None:
            await self._socket.close()

    async def _listen(self, *, until_seq: int | None) -> bool:
        """Read over one connection. Return whether all was read: up to the end, or to what was stored at first."""
        query = {"lang": self.language} if self.language else {}
        with contextlib.suppress(ConnectionClosed, OSError):
            async with connect(self.links.viewer(after=self.seq, **query), max_size=None) as self._socket:
                self.connections += 1
                async for text in self._socket:
                    message = json.loads(text)
                    await self._take(self._socket, message)
                    if message["type"] == "hello" and until_seq is not None:
                        until_seq = message["last_seq"]
                    if self._is_over(message, until_seq):
                        return True
        return False

    def _is_over(self, message: Message, until_seq: int | None) -> bool:
        if until_seq is not None:
            return self.seq >= until_seq
        return message.get("state") == "ended"

    async def _take(self, socket: ClientConnection, message: Message) -> None:
        self.messages[message["type"]] += 1
        if message["type"] == "caption":
            self.texts[message["segment"]] = message["text"]
        if "seq" in message:
            self.seq = max(self.seq, message["seq"])
            await socket.send(json.dumps({"type": "seen", "seq": self.seq}))
