"""`manage.py bench`: run the benchmarks."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from django.core.management import CommandError

import benchmarks
from benchmarks.report import report, write
from meetings.exit_codes import BAD_INPUT
from meetings.management.cli import ParlanceCommand

CHOICES = ("audio", "hours", "minutes", "model", "quick")
"""Options passed to the benchmark, if it accepts them."""


class Command(ParlanceCommand):
    help = "Measures; prints the figures with machine and date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME")
        parser.add_argument("--list", action="store_true", help="list the benchmarks")
        parser.add_argument("--json", type=Path, metavar="OUT", help="also write the result to this file")
        parser.add_argument("--audio", type=Path, metavar="FOLDER", help="recordings, for those that play some")
        parser.add_argument("--hours", type=float, metavar="HOURS", help="hours of audio, for long sessions")
        parser.add_argument("--minutes", type=float, metavar="MINUTES", help="minutes after which a long session ends")
        parser.add_argument("--model", type=Path, metavar="FOLDER", help="another Whisper, for those that take one")
        parser.add_argument("--quick", action="store_const", const=True, help="run less of a long benchmark")

    def handle(self, *_: Any, name: str | None, **options: Any) -> None:
        if options["list"]:
            self._list()
            return
        module = find(name)
        chosen = _chosen(module, **{name: options[name] for name in CHOICES})
        result = report(_short(module), module.run(**chosen))
        self.stdout.write(json.dumps(result, ensure_ascii=False, indent=1))
        if hasattr(module, "table"):
            self.stderr.write(module.table(result["figures"]), self.style.NOTICE)
        if options["json"] is not None:
            write(options["json"], result)

    def _list(self) -> None:
        for module in modules():
            self.stdout.write(f"{_short(module):<12} {(module.__doc__ or '').strip().splitlines()[0]}")


def modules() -> Iterator[ModuleType]:
    """Yield every module of `benchmarks` that can be run."""
    for entry in pkgutil.iter_modules(benchmarks.__path__):
        module = importlib.import_module(f"{benchmarks.__name__}.{entry.name}")
        if hasattr(module, "run"):
            yield module


def find(name: str | None) -> ModuleType:
    """Return the benchmark called `name`. Raises CommandError with the available names."""
    found = {_short(module): module for module in modules()}
    if name not in found:
        asked = f"There is no benchmark {name!r}" if name else "Name a benchmark"
        raise CommandError(f"{asked}; there is {', '.join(found)}.", returncode=BAD_INPUT)
    return found[name]


def _chosen(module: ModuleType, **options: Any) -> dict[str, Any]:
    """Return the given options. Raises CommandError for one that the benchmark does not accept."""
    given = {option: value for option, value in options.items() if value is not None}
    foreign = given.keys() - inspect.signature(module.run).parameters.keys()
    if foreign:
        raise CommandError(f"{_short(module)} takes no --{min(foreign)}.", returncode=BAD_INPUT)
    return given


def _short(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
