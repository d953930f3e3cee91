"""`python -m tests.api_server FOLDER PORT SERVER`: a broker and a web process, with tokens for programs, no worker.

Prints the tokens as one line of JSON when pages are there, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.answering import wait_for_answer
from tests.live import REPOSITORY, free_port
from tests.once_a_run import migrated_database


@dataclass(frozen=True, slots=True)
class ApiServer:
    port: int
    data: Path
    token: str
    revoked: str
    web: psutil.Process


@contextmanager
def api_server(data: Path, kind: str) -> Iterator[ApiServer]:
    """`kind`: daphne or uvicorn. A request waits for a second for its transcript, which never comes."""
    port = free_port()
    command = [sys.executable, "-m", "tests.api_server", str(data), str(port), kind]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            yield ApiServer(port, data, said["token"], said["revoked"], psutil.Process(said["web"]))
        finally:
            process.stdin.close()
            process.wait(30)


def main(data: str, port: str, kind: str) -> None:
    os.environ |= {
        "PARLANCE_DATA": data,
        "PARLANCE_WEB_SERVER": kind,
        "PARLANCE_API_WAIT_S": "1",
        "DJANGO_SETTINGS_MODULE": "meetings.settings",
    }
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User

    from meetings.accounts.api_tokens import create_token
    from meetings.broker.embedded import EmbeddedBroker
    from meetings.models import ApiToken

    shutil.copy(migrated_database(), data)
    user = User.objects.create_user("ana")
    revoked = create_token(user, "revoked")
    ApiToken.objects.all().delete()
    token = create_token(user, "script")
    broker = EmbeddedBroker(settings.ENVIRONMENT.data / "broker", settings.ENVIRONMENT.broker_socket)
    broker.start()
    web = subprocess.Popen([sys.executable, "manage.py", "web", "--port", port], stdout=subprocess.DEVNULL)
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/healthz", web)
        print(json.dumps({"token": token, "revoked": revoked, "web": web.pid}), flush=True)
        sys.stdin.read()
    finally:
        web.terminate()
        web.wait()
        broker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
