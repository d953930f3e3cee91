from __future__ import annotations

import sys

import pytest

from benchmarks.children import run

HOLDS_MIB = 200


def test_what_a_process_took_is_its_own() -> None:
    """Whatever this one holds: a child's `ru_maxrss` begins with what its parent had when it forked."""
    held = bytes(2 * HOLDS_MIB << 20)
    code = f"import time; held = bytearray({HOLDS_MIB} << 20); time.sleep(0.5); sum(range(10**6))"
    taken = run([sys.executable, "-c", code])
    assert HOLDS_MIB < taken.peak_mib < HOLDS_MIB + 100
    assert taken.seconds > 0.5
    assert 0 < taken.cpu_s < taken.seconds
    assert len(held) == 2 * HOLDS_MIB << 20


def test_one_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"-c raise SystemExit\(3\) ended with 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"])
