"""The web process: pages by Django, two sockets by Channels."""

from __future__ import annotations

import os
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.core.signals import request_finished
from django.db import connections
from django.urls import path

from meetings.serving.base_path import BasePath
from meetings.serving.bodies import PagesHandler


def close_connections(**_: Any) -> None:
    """Each request has a thread of its own, which ends with it: what it leaves open nobody finds again."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
django.setup(set_prefix=False)
pages = PagesHandler()
request_finished.connect(close_connections)

# The rest needs the apps that the lines above load.
from meetings.live.consumers import ViewerConsumer  # noqa: E402
from meetings.live.host import HostConsumer  # noqa: E402
from meetings.live.limits import SocketLimit  # noqa: E402
from meetings.live.origins import FullOriginValidator  # noqa: E402

sockets = URLRouter(
    [
        path("ws/host/<str:meeting_id>/", HostConsumer.as_asgi()),
        path("ws/captions/<str:meeting_id>/", ViewerConsumer.as_asgi()),
        path("", WebsocketDenier.as_asgi()),
        path("<path:unknown>", WebsocketDenier.as_asgi()),
    ]
)

application = BasePath(
    ProtocolTypeRouter({"http": pages, "websocket": FullOriginValidator(SocketLimit(sockets))}),
    settings.ENVIRONMENT.base_path,
)
