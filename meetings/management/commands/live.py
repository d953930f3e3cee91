"""`manage.py live`: run everything on one machine, from broker to web server."""

from __future__ import annotations

import math
import signal
import time
from argparse import ArgumentParser
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from django.core.management import call_command
from redis.exceptions import RedisError

from inference.models.device import choose_device
from meetings import descriptors
from meetings.accounts.signin import can_anybody_sign_in, one_time_link
from meetings.broker.client import connect_sync
from meetings.broker.leases import count_workers
from meetings.device.asr import speech_model
from meetings.device.summarization import is_packed, summary_model
from meetings.environment import Environment
from meetings.management.cli import ServerCommand, port_number
from meetings.management.schema import has_pending_migrations
from meetings.supervisor import Supervisor, check_port, data_folder_lock, run_to_end

READY_EXPECTED_S = 60.0
"""After this, a warning is printed, and waiting continues."""

READY_POLL_S = 0.1


class Command(ServerCommand):
    help = "Runs broker, inference and web together, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=port_number, default=8000)

    def handle(self, *_: Any, host: str, port: int, **__: Any) -> None:
        environment: Environment = settings.ENVIRONMENT
        descriptors.raise_limit()
        with data_folder_lock(environment.data):
            check_port(host, port)
            speech_model(environment)
            if environment.device.startswith("cuda"):  # otherwise the supervisor needs no library of models
                choose_device(environment.device)
            self._migrate()
            supervisor = Supervisor(environment, host=host, port=port)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: supervisor.request_stop())
            supervisor.run(lambda: self._welcome(address(host, port)))

    def _welcome(self, base_url: str) -> None:
        """Print the address and how to sign in, once pages and a worker answer."""
        (settings.ENVIRONMENT.data / "address").write_text(base_url, encoding="ascii")
        late_at = time.monotonic() + READY_EXPECTED_S
        while not _is_ready(base_url):
            if time.monotonic() > late_at:
                self.stderr.write(f"Still not ready after {READY_EXPECTED_S:.0f} s; {base_url}/readyz says why.")
                late_at = math.inf
            time.sleep(READY_POLL_S)
        is_unpacking = is_packed(settings.ENVIRONMENT)
        if is_unpacking:
            self.stdout.write("Unpacking the summariser's weights, once, about a minute. Captions do not wait for it.")
        address = base_url + settings.ENVIRONMENT.base_path
        self.stdout.write(framed(welcome(settings.ENVIRONMENT, address), is_terminal=self.stdout.isatty()))
        self.stdout.flush()
        if is_unpacking:
            self._unpack_summarizer()

    def _migrate(self) -> None:
        if has_pending_migrations():
            self.stdout.write("Bringing the database up to date.")
            call_command("migrate", verbosity=0)

    def _unpack_summarizer(self) -> None:
        """Unpack the summariser's weights in a process of low priority, while people already caption.

        The process is waited for in this thread: it is ended with the thread that started it.
        """
        failed = run_to_end(["models", "fetch", summary_model(settings.ENVIRONMENT)])
        if failed:
            self.stderr.write(f"The summariser was not unpacked: {failed}")
        else:
            self.stdout.write("Summaries can be written now.")
            self.stdout.flush()


def welcome(environment: Environment, base_url: str) -> str:
    """Return the address and how to sign in; a link is included only if no administrator can sign in without one."""
    if can_anybody_sign_in():
        how = "Sign in there; `manage.py signin` prints a one-time link for who has no password."
    else:
        how = f"Sign in once with {one_time_link(entrance(environment, base_url))}"
    return f"Parlance is ready at {base_url}\n{how}"


def framed(text: str, *, is_terminal: bool) -> str:
    """Return the text between two lines, so that it stands out among log lines; as it is where a program reads it."""
    if not is_terminal:
        return text
    line = "─" * max(map(len, text.splitlines()))
    return f"\n{line}\n{text}\n{line}\n"


def address(host: str, port: int) -> str:
    """Return the address for a browser on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"


def entrance(environment: Environment, base_url: str) -> str:
    """Return the public address behind TLS with the base path, else `base_url`."""
    is_public = environment.https and environment.trusted_origins
    return environment.trusted_origins[0] + environment.base_path if is_public else base_url


def _is_ready(base_url: str) -> bool:
    """Ask under an allowed name: the loopback address need not be one."""
    host = next(iter(settings.ENVIRONMENT.allowed_hosts)).lstrip(".")
    try:
        request = Request(f"{base_url}/healthz", headers={"Host": host})  # noqa: S310  (our own address)
        with urlopen(request, timeout=2) as answer:  # noqa: S310
            return answer.status == 200 and count_workers(connect_sync()) > 0
    except (RedisError, OSError):
        return False
