"""How much memory another process has come to need, as the kernel counted it: no sampling, nothing missed."""

from __future__ import annotations

from pathlib import Path

import psutil

RESET_PEAK = "5"
"""What `/proc/PID/clear_refs` takes to set the peak back to the present size (proc(5))."""


class Peak:
    """Bytes that a process's resident memory rose at most since this was made. Linux only, as the tests are."""

    def __init__(self, process: psutil.Process) -> None:
        self._pid = process.pid
        Path(f"/proc/{self._pid}/clear_refs").write_text(RESET_PEAK)
        self._before = process.memory_info().rss

    def growth(self) -> int:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 - self._before
        raise AssertionError("the process has ended")
