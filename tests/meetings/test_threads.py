"""Threads that end with the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from django.db import connection

from meetings.threads import DaemonThreads
from tests.conftest import REPOSITORY

HANGING = """
import asyncio, threading
from meetings.threads import DaemonThreads

async def main():
    threads = DaemonThreads("hanging")
    begun = threading.Event()
    hanging = asyncio.create_task(threads.run(lambda: (begun.set(), threading.Event().wait())))
    await threads.run(begun.wait)
    hanging.cancel()

asyncio.run(main())
print("over", flush=True)
"""


def test_a_process_ends_while_a_call_hangs() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "over\n"


async def test_no_call_waits_for_another_and_idle_threads_are_used_again() -> None:
    threads = DaemonThreads("several")
    meet = threading.Barrier(3, timeout=20)
    await asyncio.gather(*(threads.run(meet.wait) for _ in range(3)))
    assert len([thread for thread in threading.enumerate() if thread.name == "several"]) == 3
    for _ in range(9):
        await threads.run(threading.get_ident)
    assert len([thread for thread in threading.enumerate() if thread.name == "several"]) == 3


async def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await DaemonThreads("failing").run(fail)


@pytest.mark.django_db(transaction=True)
async def test_a_connection_that_is_too_old_is_made_anew() -> None:
    def opened() -> int:
        connection.ensure_connection()
        return id(connection.connection)

    def age() -> None:
        connection.close_at = 0.0

    threads = DaemonThreads("asking")
    first = await threads.query(opened)
    assert await threads.query(opened) == first
    await threads.run(age)
    await threads.query(lambda: None)
    assert await threads.run(lambda: connection.connection) is None
