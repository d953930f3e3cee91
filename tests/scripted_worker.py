"""A worker with scripted models in a process of its own, on the tests' broker and database.

Started by `scripted_worker`, so that a test can kill or stop one as a machine does: without a word to anybody.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import django

from tests import REPOSITORY


@contextmanager
def scripted_worker(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a worker of this name; kills it in the end, whatever it is at."""
    environment = {**os.environ, "DATABASE_URL": database_url()}
    command = [sys.executable, "-m", "tests.scripted_worker", name]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def database_url() -> str:
    """The tests' own database, for DATABASE_URL."""
    from django.db import connection

    found: dict[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    account = f"{quote(found['USER'])}:{quote(found['PASSWORD'])}"
    return f"postgres://{account}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


async def work(name: str) -> None:
    """Until somebody ends the process."""
    from meetings.broker.client import connect
    from meetings.device.engines import Loaders
    from meetings.worker.worker import Worker
    from tests.inference.doubles import ScriptedTranscriber
    from tests.meetings.doubles import scripted_pool

    await Worker(name, Loaders(lambda: scripted_pool(ScriptedTranscriber)), connect()).run()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    django.setup()
    asyncio.run(work(sys.argv[1]))
