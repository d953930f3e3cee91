"""Serialised password hashing, because hashes are slow on purpose and anyone can cause one with a made-up name.

A hash is never skipped, so that response times do not reveal names. It waits, and is refused if too many wait.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

T = TypeVar("T")

MOST_WAITING = 32
"""Hashes of a process that are running or waiting: about eight seconds of one core."""

HASHING_RETRY_AFTER_S = 10
"""Reported to refused clients."""

HASHING_NICENESS = 5
"""Of the hashing thread: captions come first on every core."""


class TooManyHashes(Exception):
    """Too many hashes are waiting; `seconds` says when to try again."""

    seconds = HASHING_RETRY_AFTER_S


def _be_nice() -> None:
    """Lower the priority of this thread on Linux; elsewhere priorities are per process and stay."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)


class HashQueue:
    """One hashing thread, and the calls that wait for it."""

    def __init__(self, *, most: int = MOST_WAITING) -> None:
        self._most = most
        self._under_way = 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=_be_nice)

    def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`. Raises TooManyHashes if too many calls are waiting."""
        with self._lock:
            if self._under_way >= self._most:
                raise TooManyHashes
            self._under_way += 1
        try:
            return self._thread.submit(work).result()
        finally:
            with self._lock:
                self._under_way -= 1


queue = HashQueue()
"""The queue of this process."""


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher, which stored passwords reference by its algorithm; every hash waits in the queue."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        encode = super().encode
        encoded: str = queue.run(lambda: encode(password, salt, iterations))
        return encoded
