"""The limits from within: a process that has set them tries what it must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import REPOSITORY


def confined(attempt: str) -> str:
    """What a confined process prints; `attempt` runs when it is isolated."""
    script = f"""
import os, resource, socket, subprocess, sys
import numpy
from inference.media.sandbox import Limits, confine, grant_time, isolate
limits = Limits()
confine(limits)
devices = open('/proc/self/net/dev')
is_alone = isolate()
{attempt}
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "open('/tmp/written', 'w')",
        "socket.socket()",
        "socket.socketpair()",
        "os.pipe()",
        "os.dup(0)",
        "subprocess.run(['/bin/true'])",
    ],
)
def test_nothing_is_opened_and_nobody_is_called(attempt: str) -> None:
    said = confined(
        f"try:\n    {attempt}\nexcept OSError as error:\n    print(error.strerror)\nelse:\n    print('done')"
    )
    assert said == "Too many open files"


@pytest.mark.parametrize("name", ["NOFILE", "FSIZE", "CORE", "AS"])
def test_no_limit_can_be_taken_back(name: str) -> None:
    said = confined(
        f"kind = resource.RLIMIT_{name}\nhard = resource.getrlimit(kind)[1]\n"
        "try:\n    resource.setrlimit(kind, (hard + 1000, hard + 1000))\n"
        "except (ValueError, PermissionError):\n    print('held')\nelse:\n    print('raised', is_alone)"
    )
    assert said == "held" or (said == "raised False" and os.geteuid() == 0), said


def test_it_gives_way_and_goes_first_when_memory_is_short() -> None:
    said = confined("print(os.nice(0))")
    assert int(said) >= 10
    script = (
        "from inference.media.sandbox import Limits, confine; confine(Limits());"
        "print(open('/proc/self/oom_score_adj').read())"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert result.stdout.strip() == "1000"


def test_time_on_the_processor_is_granted_with_the_sound() -> None:
    said = confined(
        "before = resource.getrlimit(resource.RLIMIT_CPU)[0]; grant_time(limits, 400.0);"
        "after = resource.getrlimit(resource.RLIMIT_CPU); print(before, *after)"
    )
    assert said == "60 160 10861"


def test_there_is_no_network_where_the_kernel_gives_namespaces() -> None:
    """Where it does not, no socket can be made all the same, as the test above says."""
    is_alone, namespaces = confined("here = os.readlink('/proc/self/ns/net'); print(is_alone, here)").split()
    if is_alone == "False":
        pytest.skip("this kernel gives no namespaces to this user")
    assert namespaces != str(Path("/proc/self/ns/net").readlink())
