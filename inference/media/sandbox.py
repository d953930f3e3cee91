"""The limits that the decoder child sets for itself before it reads a file.

A process may only lower its hard limits, so a malicious file cannot raise them again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

DECODER_NICENESS = 10
"""Gives live captions priority on every core."""

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of a child. Reaching any of them ends the child, and its file fails."""

    memory_bytes: int = 1 << 30
    """Address space. With its libraries loaded the child uses 0.2 GB, and decodes an hour of video in 0.25 GB."""
    longest_s: float = 12 * 3600.0
    """Maximum seconds of audio in a file."""
    cpu_s: float = 60.0
    """Initial CPU seconds; each second of audio adds CPU_A_SECOND."""
    stall_s: float = 60.0
    """Seconds without a message after which the child counts as hung."""
    wait_s: float = 300.0
    """Initial seconds that the reader waits in total; each second of audio adds one."""


DEFAULT_LIMITS = Limits()

CPU_A_SECOND = 0.25
"""CPU seconds per second of audio. A decoder slower than four times real time on its own core is stuck in the file."""


def confine(limits: Limits) -> None:
    """Limit memory, CPU time and files, lower the priority, and become the first victim when memory runs out.

    Call it before the libraries are loaded.
    """
    os.nice(DECODER_NICENESS)
    _offer_to_die()
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        resource.setrlimit(kind, (most, most))
    hard_s = int(limits.cpu_s + limits.longest_s * CPU_A_SECOND) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(limits.cpu_s), hard_s), hard_s))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader is gone, so exit
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def grant_time(limits: Limits, heard_s: float) -> None:
    """Raise the CPU limit by the allowance for `heard_s` seconds of audio."""
    hard_s = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(limits.cpu_s + heard_s * CPU_A_SECOND), hard_s), hard_s))


def isolate() -> bool:
    """Leave the network and prevent opening files; return whether the kernel provided a separate network namespace.

    Call it after all libraries are loaded and before the file is read. From then on only the three standard descriptors
    exist. On any kernel, no file can be opened by name and no socket created. Where unprivileged namespaces are
    allowed, there is also no network to reach.
    """
    os.closerange(3, max(4, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)))
    is_alone = _leave_network()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return is_alone


def _offer_to_die() -> None:
    with contextlib.suppress(OSError):  # the memory limit applies even without /proc
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _leave_network() -> bool:
    """Unshare a user namespace first: with it, leaving the network needs no privilege, and root has none left here."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWNET) == 0)
