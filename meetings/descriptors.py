"""How many files and connections this process may have open: raised at its start, and shared out.

systemd and most shells give a process 1,024. A process without one left can accept nobody, and reaches neither the
broker nor, in SQLite, the database.
"""

from __future__ import annotations

import resource

MAX_DESCRIPTORS = 65_536
"""More is of no use to one process, and some libraries walk through all of them."""

RESERVED = 256
"""For the database, the broker, files and logs; a quarter of all where there are few."""

EACH = 2
"""A socket, and what its meeting may need at the broker."""


def raise_limit() -> int:
    """Raise this process's own limit as far as the system lets it, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def connections() -> int:
    """Return how many connections this process can serve, with as much left as it needs itself."""
    most = limit()
    return (most - min(RESERVED, most // 4)) // EACH
