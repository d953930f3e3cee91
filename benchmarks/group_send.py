"""Reference for the fan-out benchmark: Channels' `group_send` over its in-memory layer, under Daphne.

`python -m benchmarks.group_send PORT RATE COUNT SIZE`: every socket joins one group. The text `start` on any of them
sends COUNT messages of SIZE characters to the group, RATE a second, each with its number and sending time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from daphne.server import Server
from django.conf import settings

GROUP = "captions"
LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


class GroupConsumer(AsyncWebsocketConsumer):
    """The consumer of Channels' tutorial, without a database."""

    groups = (GROUP,)
    rate: float
    count: int
    size: int

    async def connect(self) -> None:
        await self.accept()
        await self.send(text_data='{"type":"hello"}')

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "start":
            self.sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        layer = get_channel_layer()
        started = time.monotonic()
        for number in range(1, self.count + 1):
            await asyncio.sleep(max(0.0, started + number / self.rate - time.monotonic()))
            message = {"type": "caption", "seq": number, "sent": time.monotonic(), "text": "x" * self.size}
            await layer.group_send(GROUP, {"type": "caption", "text": json.dumps(message)})

    async def caption(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


def main(port: int, rate: float, count: int, size: int) -> None:
    settings.configure(CHANNEL_LAYERS=LAYERS, SECRET_KEY="benchmark")  # noqa: S106
    django.setup()
    GroupConsumer.rate, GroupConsumer.count, GroupConsumer.size = rate, count, size
    server = Server(GroupConsumer.as_asgi(), endpoints=[f"tcp:port={port}:interface=127.0.0.1"], verbosity=0)
    server.ready_callable = lambda: print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
