"""Which device is chosen, on machines with and without GPUs and their libraries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inference.models import device
from inference.models.device import CPU, Device, NoSuchDevice, choose_device, gpu_problem


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    for remembered in (gpu_problem, device._warn):
        remembered.cache_clear()
    yield
    for remembered in (gpu_problem, device._warn):
        remembered.cache_clear()


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 2)


@pytest.mark.usefixtures("gpus")
def test_a_gpu_without_its_libraries_is_left_alone_and_said_once() -> None:
    """The worker was ended by the library at its first product, and started again, and again."""
    with capture_logs() as lines:
        assert [choose_device("auto"), choose_device("auto")] == [CPU, CPU]
    assert [line["reason"] for line in lines] == [
        "Models run on the CPU: there is a GPU, but libcublasLt.so.12 of CUDA 12 cannot be loaded. "
        "Install the extra `gpu` (nvidia-cublas-cu12), or set PARLANCE_DEVICE=cpu."
    ]


@pytest.mark.usefixtures("gpus")
def test_who_insists_on_it_is_told_what_is_missing() -> None:
    with pytest.raises(NoSuchDevice, match=r"^PARLANCE_DEVICE is cuda:1, but libcublasLt\.so\.12 of CUDA 12 cannot be"):
        choose_device("cuda:1")


@pytest.mark.usefixtures("gpus")
def test_libraries_of_a_package_are_found_where_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lib = tmp_path / "nvidia" / "cublas" / "lib"
    lib.mkdir(parents=True)
    [some] = [path for line in Path("/proc/self/maps").read_text().splitlines() if (path := _libc(line))][:1]
    for name in device.CUBLAS:
        shutil.copy(some, lib / name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(device, "_is_torch_for_gpus", lambda: True)
    assert choose_device("cuda:1") == Device("cuda", 1)
    gpu_problem.cache_clear()
    monkeypatch.setattr(device, "_is_torch_for_gpus", lambda: False)
    assert choose_device("auto") == CPU


def _libc(line: str) -> str:
    """Any library will do."""
    found = re.search(r"(/\S+/libm\.so\.6)$", line)
    return found[1] if found else ""


def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(NoSuchDevice, match="0 GPUs can be used here"):
        choose_device("cuda")


@pytest.mark.parametrize("command", ["live", "inference"])
def test_a_start_on_it_ends_with_the_sentence(command: str, whisper_alone: Path, tmp_path: Path) -> None:
    environment = {"PARLANCE_DEVICE": "cuda", "PARLANCE_DATA": str(tmp_path), "PARLANCE_MODELS_DIR": str(whisper_alone)}
    done = subprocess.run(
        [sys.executable, "manage.py", command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "PARLANCE_DEVICE is cuda, but 0 GPUs can be used here.\n")
