"""Wait for a server that a test has started."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import httpx

WITHIN_S = 120
"""Starting on a busy machine."""
LOOK_S = 0.05


class DidNotAnswer(Exception):
    """The server ended, or was too slow."""


def wait_for_answer(address: str, process: subprocess.Popen[Any]) -> None:
    """Return once `address` is answered. Raises DidNotAnswer when the process ends, and after WITHIN_S."""
    deadline = time.monotonic() + WITHIN_S
    with httpx.Client() as client:
        while True:
            try:
                client.get(address).raise_for_status()
                return
            except httpx.TransportError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DidNotAnswer(f"{address}: exit code {process.poll()}") from error
            time.sleep(LOOK_S)
