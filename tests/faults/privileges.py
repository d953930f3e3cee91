"""What a test may do to the machine: mount, make network namespaces. Whoever may is expected to be able to."""

from __future__ import annotations

import subprocess
from enum import IntEnum
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")


class Capability(IntEnum):
    """Bits of Linux."""

    NET_ADMIN = 12
    SYS_ADMIN = 21


def require(what: str, *capabilities: Capability) -> None:
    """Skips where the kernel does not let this process do it: `what` needs root."""
    if not all(_has(capability) for capability in capabilities):
        pytest.skip(f"{what} needs root, with {' and '.join(capability.name for capability in capabilities)}")


def run(*command: str) -> None:
    """Fails where the machine refuses what it should allow."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr}"


def _has(capability: Capability) -> bool:
    if not STATUS.exists():
        return False
    effective = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> capability & 1)
