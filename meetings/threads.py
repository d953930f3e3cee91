"""Threads for work that may hang: they end with the process, whatever they wait for.

Threads of `concurrent.futures` are joined when the interpreter ends: one that waits for a name server or for a storage
keeps the process from ending until it is killed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import close_old_connections

T = TypeVar("T")


class DaemonThreads(Executor):
    """Run each call in an idle daemon thread, or in a new one: no call waits for another.

    Whoever submits bounds how many there are at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        return future

    async def run(self, work: Callable[[], T]) -> T:
        """Await `work` in one of the threads. A caller that is cancelled leaves it to its thread."""
        return await asyncio.get_running_loop().run_in_executor(self, work)

    async def query(self, work: Callable[[], T]) -> T:
        """Await `work` with the thread's connection to the database, made anew where it is too old or broken."""
        return await self.run(partial(_with_connection, work))

    def _serve(self) -> None:
        while True:
            future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                self._fulfil(future, call)
            else:
                self._idle.release()
            del future, call

    def _fulfil(self, future: Future[Any], call: Callable[[], Any]) -> None:
        """Idle before the result is told: whoever hears of it and goes on finds the thread free."""
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised again where the future is awaited
            self._idle.release()
            future.set_exception(error)
        else:
            self._idle.release()
            future.set_result(result)


def _with_connection(work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
