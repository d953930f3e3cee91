"""The limits that the decoder's child process sets itself, before it looks at a file.

A process may only ever lower its hard limits, so nothing that a file makes it do takes them back.
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

NICENESS = 10
"""Live captions come first on every core."""

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use. Every one that is reached ends the child, and its file fails."""

    memory_bytes: int = 1 << 30
    """Of addresses. With its libraries loaded the child has 0.2 GB, and decodes an hour of video in 0.25 GB."""
    longest_s: float = 12 * 3600.0
    """Seconds of sound that a file may hold."""
    cpu_s: float = 60.0
    """Seconds of a core to begin with; each second of sound brings CPU_A_SECOND more."""
    stall_s: float = 60.0
    """Seconds without a word of the child: it hangs."""
    wait_s: float = 300.0
    """Seconds that its reader waits for it in all to begin with; each second of sound brings one more."""


DEFAULT_LIMITS = Limits()

CPU_A_SECOND = 0.25
"""A decoder that is slower than four times real time on a core of its own has lost its way in the file."""


def confine(limits: Limits) -> None:
    """Bound memory, time and files, give way to all others, and be the first to go when memory runs out.

    Call it before the libraries are loaded.
    """
    os.nice(NICENESS)
    _offer_to_die()
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        resource.setrlimit(kind, (most, most))
    hard_s = int(limits.cpu_s + limits.longest_s * CPU_A_SECOND) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(limits.cpu_s), hard_s), hard_s))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody reads any more: nothing is left to do
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def grant_time(limits: Limits, heard_s: float) -> None:
    """Allow the time on the processor that `heard_s` seconds of sound are worth."""
    hard_s = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(limits.cpu_s + heard_s * CPU_A_SECOND), hard_s), hard_s))


def isolate() -> bool:
    """Leave the network, and open nothing any more; return whether the kernel gave a network of its own.

    Call it when all libraries are loaded and before the file is looked at: from then on the three standard descriptors
    are all there is. No file can be opened by its name and no socket made, on any kernel. Where the kernel lets
    unprivileged processes have namespaces, there is also no network to reach.
    """
    os.closerange(3, max(4, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)))
    is_alone = _leave_network()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return is_alone


def _offer_to_die() -> None:
    with contextlib.suppress(OSError):  # without /proc there is the limit of memory all the same
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _leave_network() -> bool:
    """A user namespace is asked for first: with it the network's needs no privilege, and root has none left here."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWNET) == 0)
