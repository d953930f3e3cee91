"""A processor for which the libraries are not built is told so, in a sentence."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from meetings.management import processor
from meetings.management.processor import processor_problem
from tests.live import REPOSITORY

OLD = "processor\t: 0\nflags\t\t: fpu sse sse2 pni cx16 lahf_lm ssse3\n"
NEWER = f"{OLD.strip()} popcnt sse4_1 sse4_2 avx2\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path / "cpuinfo"


def test_what_is_missing_is_named_with_the_remedy(cpuinfo: Path) -> None:
    cpuinfo.write_text(OLD)
    assert processor_problem(cpuinfo) == (
        "This processor lacks popcnt, sse4_1, sse4_2, which the libraries need (x86-64-v2, made since 2009). "
        "For a virtual machine choose the processor type `host`."
    )


@pytest.mark.parametrize("content", [NEWER, "processor\t: 0\n", None], ids=["newer", "without flags", "no file"])
def test_others_start(cpuinfo: Path, content: str | None) -> None:
    if content is not None:
        cpuinfo.write_text(content)
    assert processor_problem(cpuinfo) == ""


def test_it_ends_before_anything_is_loaded(
    cpuinfo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cpuinfo.write_text(OLD)
    problem = processor_problem(cpuinfo)
    monkeypatch.setattr(processor, "processor_problem", lambda: problem)
    monkeypatch.setitem(sys.modules, "meetings.management.cli", None)  # importing it would fail
    spec = importlib.util.spec_from_file_location("manage", REPOSITORY / "manage.py")
    assert spec is not None
    assert spec.loader is not None
    manage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(manage)
    with pytest.raises(SystemExit) as end:
        manage.main()
    assert (end.value.code, capsys.readouterr().err) == (2, f"{problem}\n")


def test_numpy_needs_no_more_than_is_asked_for() -> None:
    import numpy as np

    assert np.show_config("dicts")["SIMD Extensions"]["baseline"] == ["X86_V2"]
