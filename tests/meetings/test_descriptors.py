"""Descriptors as a real process gets them: a child with limits of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

RAISED = """
import resource
from meetings import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(descriptors.raise_limit(), descriptors.limit(), descriptors.connections())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(1_024, 4_096, "4096 4096 1920"), (1_024, 1_024, "1024 1024 384"), (256, 256, "256 256 96")],
)
def test_a_process_takes_what_the_system_allows_and_keeps_some(soft: int, hard: int, expected: str) -> None:
    script = RAISED.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
