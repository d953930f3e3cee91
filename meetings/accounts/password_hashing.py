"""Password hashes, one after the other: they are slow on purpose, and anybody may ask for one by making a name up.

A hash is never skipped, so that the time of an answer tells no names; it waits, and where too many wait it is refused.
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
"""Hashes of a process that are under way or waiting: some eight seconds of one core."""

RETRY_AFTER_S = 10
"""What who is refused is told to wait."""

NICENESS = 5
"""Of the thread that hashes: captions come first on every core."""


class TooManyHashes(Exception):
    """So many wait that one more would wait too long; `seconds` says when to try again."""

    seconds = RETRY_AFTER_S


def _be_nice() -> None:
    """Linux keeps the priority of each thread; elsewhere it is that of the process, and stays."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class HashQueue:
    """One thread that hashes, and those who wait for it."""

    def __init__(self, *, most: int = MOST_WAITING) -> None:
        self._most = most
        self._under_way = 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=_be_nice)

    def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns. Raise TooManyHashes instead of letting too many wait."""
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
"""The process's own."""


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's, which stored passwords name by its algorithm; whoever hashes anywhere waits in the queue."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        encode = super().encode
        encoded: str = queue.run(lambda: encode(password, salt, iterations))
        return encoded
