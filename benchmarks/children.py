"""Run a command in a separate process and measure its resource usage."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import REPOSITORY

LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Taken:
    """Usage of one process; only the CPU time includes its children."""

    seconds: float
    cpu_s: float
    peak_mib: float
    """Peak resident memory, sampled ten times a second."""


def run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> Taken:
    """Run `command` in the repository with `variables` added to the environment.

    Raises:
        RuntimeError: it ended with an error.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **(variables or {})}, cwd=REPOSITORY)
    peak = 0
    while True:
        peak = max(peak, _peak_kib(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(LOOK_S)
    if status:
        raise RuntimeError(f"{' '.join(command[:3])} ended with {os.waitstatus_to_exitcode(status)}")
    return Taken(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, peak / 1024)


def _peak_kib(pid: int) -> int:
    """Return the child's own peak memory. That of `getrusage` is at least what the parent held when it forked."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
