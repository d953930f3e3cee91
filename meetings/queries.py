"""Call a function of `store` from a coroutine, in threads that have a connection to the database.

Channels runs such calls by default one after the other in a single thread: a merge of speakers over thousands of lines,
or 20 s of waiting for a lock, would then keep every other socket waiting. Here reads do not wait for writes.
"""

from __future__ import annotations

from collections.abc import Callable
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


async def read_rows(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the verb for a socket, among those that only read."""
    return await database_sync_to_async(verb, thread_sensitive=False, executor=_reading)(*args, **kwargs)


async def write_rows(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the verb for a socket, among those that store."""
    return await database_sync_to_async(verb, thread_sensitive=False, executor=_writing)(*args, **kwargs)


async def in_database(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the verb in the event loop's own threads: for a worker, or a request that takes its time."""
    return await database_sync_to_async(verb, thread_sensitive=False)(*args, **kwargs)
