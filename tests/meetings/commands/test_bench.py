from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command

import benchmarks
from benchmarks.report import machine


def bench(*arguments: object) -> str:
    output = StringIO()
    call_command("bench", *map(str, arguments), stdout=output)
    return output.getvalue()


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A benchmark that takes no time."""
    (tmp_path / "counting.py").write_text('"""Counting: to three."""\n\ndef run():\n    return {"counted": 3}\n')
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    yield
    sys.modules.pop("benchmarks.counting", None)


def test_list_names_every_benchmark_and_what_it_measures(counting: None) -> None:
    lines = bench("--list").splitlines()
    assert "counting     Counting: to three." in lines
    assert any(line.startswith("batch        Batch: real-time factor") for line in lines)
    assert not any(line.startswith("report") for line in lines)


def test_figures_come_with_machine_and_date(counting: None, tmp_path: Path) -> None:
    printed = json.loads(bench("counting", "--json", tmp_path / "result.json"))
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert list(printed) == ["benchmark", "date", "command", "commit", "machine", "figures"]
    assert (printed["command"], printed["figures"]) == ("manage.py bench counting", {"counted": 3})


def test_the_machine_is_described() -> None:
    described = machine()
    assert described["cpu"]
    assert described["cores"] >= 1
    assert described["memory_gib"] > 0
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize("arguments", [("nothing",), ("report",), ()])
def test_what_is_no_benchmark_is_refused_with_their_names(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"there is .*batch") as failure:
        bench(*arguments)
    assert failure.value.returncode == 2


def test_every_benchmark_is_a_module_with_a_docstring() -> None:
    from meetings.management.commands.bench import modules

    assert all(isinstance(module, ModuleType) and module.__doc__ for module in modules())
