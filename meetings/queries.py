"""Database verbs for coroutines, in small pools of threads of their own.

Channels runs them by default one after the other in a single thread: a merge of speakers over thousands of lines, or 20
s of waiting for a lock, would then keep every other socket waiting. Here, who reads waits for no one who writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
T = TypeVar("T")

READERS = 8
"""Threads of a process that only read, and so its connections to the database for that."""

WRITERS = 4
"""Threads that store what a host says. They queue for the same lock where the database is SQLite."""

_reading = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
_writing = ThreadPoolExecutor(WRITERS, thread_name_prefix="writing")


def reading(verb: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Return the verb as a coroutine function that runs among those that only read."""
    return database_sync_to_async(verb, thread_sensitive=False, executor=_reading)


def writing(verb: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Return the verb as a coroutine function that runs among those that store."""
    return database_sync_to_async(verb, thread_sensitive=False, executor=_writing)
