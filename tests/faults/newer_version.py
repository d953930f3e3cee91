"""The product's settings with what a later version might bring: one more field in checkpoints, one more kind of hint
to web processes, and one more mark in the audio log.

A process runs with them whose environment has NEWER. With OTHER_CHECKPOINTS as well, its checkpoints mean something
else, and say so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig

import inference.speech.session
from inference.speech import resume_state
from meetings.settings import *  # noqa: F403
from meetings.settings import INSTALLED_APPS

NEWER = {"DJANGO_SETTINGS_MODULE": __name__}
OTHER_CHECKPOINTS = {"CHECKPOINTS_OF_THE_TESTS": "2"}
FIELD = "tempo"
KIND = "applause"
"""Of hint, and of mark."""

INSTALLED_APPS = [*INSTALLED_APPS, f"{__name__}.NewerVersion"]


@dataclass(frozen=True, slots=True)
class NewerCheckpoint(resume_state.Checkpoint):
    """Knows one thing more."""

    tempo: float = 1.0


class NewerVersion(AppConfig):
    """Puts in what is new when all else is there."""

    name = "tests.faults"

    def ready(self) -> None:
        from meetings.broker import hints, notify
        from meetings.live import host
        from meetings.worker import publisher

        pack, enter = hints.pack, host.HostConsumer.enter

        def pack_one_more(known: Iterable[hints.Hint]) -> bytes:
            return json.dumps([{"type": KIND, "hands": 2}, *json.loads(pack(known))]).encode()

        async def enter_with_applause(self: Any) -> None:
            await enter(self)
            await self.audio.mark(self.meeting.pk, KIND, "2")

        hints.pack = publisher.pack = notify.pack = pack_one_more
        host.HostConsumer.enter = enter_with_applause  # type: ignore[method-assign]


inference.speech.session.Checkpoint = NewerCheckpoint  # type: ignore[misc]
resume_state.Checkpoint = NewerCheckpoint  # type: ignore[misc]
resume_state.CHECKPOINT_VERSION = int(os.environ.get("CHECKPOINTS_OF_THE_TESTS", resume_state.CHECKPOINT_VERSION))
