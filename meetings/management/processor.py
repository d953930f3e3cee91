"""Whether the processor has the instructions that the pinned libraries need, asked before any of them is loaded.

A library that meets an unknown instruction ends its process without a word (SIGILL), and a supervisor would start it
again for ever.
"""

from __future__ import annotations

import platform
from pathlib import Path

NEEDED = frozenset({"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"})
"""x86-64-v2, which NumPy's wheels are built for. The other libraries ask the processor and need less."""


def processor_problem(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return why Parlance cannot run on this processor, as a sentence; empty: it can, as far as is known."""
    if platform.machine() != "x86_64":
        return ""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    missing = sorted(NEEDED.difference(flags)) if flags is not None else []
    if not missing:
        return ""
    return (
        f"This processor lacks {', '.join(missing)}, which the libraries need (x86-64-v2, made since 2009). "
        "For a virtual machine choose the processor type `host`."
    )
