"""The thread of one model of the pool: load it when it can be had, and use it without blocking the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool, SwapUnderWay
from inference.models.residency.transfers import MOVE_ERRORS
from meetings.device import watchdog
from meetings.worker import model_sleep

T = TypeVar("T")

log = structlog.get_logger(__name__)

MODELS_AWAY_S = 0.5
"""How long to wait for the captions' turn while a summary is written."""


class ModelThread:
    """Captions go on without the model where it cannot be loaded."""

    def __init__(self, pool: ModelPool, model: str) -> None:
        """`model`: its name in the pool."""
        self._pool = pool
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=model)
        self.has_tried = not pool.has(model)
        """Whether loading has come to an end, good or bad."""
        self.is_ready = False
        self.seconds = 0.0
        """Seconds that the model has worked."""

    async def load(self, when_loaded: Callable[[], object] = lambda: None) -> None:
        """Load the model, then call `when_loaded` in the thread, or log why there is none. Not during a swap."""
        if self.has_tried:
            return

        def join() -> None:
            self._pool.join(self._model)
            when_loaded()

        try:
            await self.run(join)
            self.is_ready = True
        except (SwapUnderWay, ModelAsleep):
            return
        except (ModelMissing, ModelCorrupt, *MOVE_ERRORS) as error:
            log.error(f"{self._model}_unavailable", error=str(error))
        self.has_tried = True

    async def wait_until_loaded(self, when_loaded: Callable[[], object] = lambda: None) -> None:
        """Return when loading has come to an end, after any summary in progress."""
        while True:
            await self.load(when_loaded)
            if self.has_tried:
                return
            await asyncio.sleep(MODELS_AWAY_S)

    async def run(self, work: Callable[[], T]) -> T:
        """Await work in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @contextmanager
    def use(self, call: str) -> Iterator[Any]:
        """Give the model, awake and under the watchdog, to a block in the thread. Raises ModelAsleep during a swap."""
        model_sleep.wake(self._pool)
        with self._pool.use(self._model, wait_s=MODELS_AWAY_S) as model, watchdog.model_call(call):
            started = time.perf_counter()
            yield model
            self.seconds += time.perf_counter() - started
