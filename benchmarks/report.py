"""Add place and time of the measurement to a benchmark's figures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
CPU_INFO = Path("/proc/cpuinfo")
OS_RELEASE = Path("/etc/os-release")


def report(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return `figures` with the header that every result has."""
    return {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"manage.py bench {name}",
        "commit": commit(),
        "machine": machine(),
        "figures": figures,
    }


def machine() -> dict[str, Any]:
    """Return the processor, the number of cores available to this process, memory and system."""
    return {
        "cpu": _field(CPU_INFO, "model name", ":") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "system": _field(OS_RELEASE, "PRETTY_NAME", "=").strip('"') or platform.system(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the checked-out commit, with `+changes` if files differ from it; empty outside a repository."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}+changes" if head and _git("status", "--porcelain", "--untracked-files=no") else head


def write(path: Path, result: dict[str, Any]) -> None:
    """Write JSON for `docs/benchmarks.md` and for comparisons."""
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _field(path: Path, name: str, separator: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    values = (line.partition(separator)[2].strip() for line in lines if line.startswith(name))
    return next(values, "")


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S607
    return result.stdout.strip()
