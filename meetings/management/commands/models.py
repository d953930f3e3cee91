"""`manage.py models`: list, fetch, verify, snapshot and load model weights."""

from __future__ import annotations

import resource
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from tqdm import tqdm

from inference.models.catalog import MODELS, Model, fetched_models, find_model
from inference.models.device import choose_device
from inference.models.fetching import ensure_model, fetch_model
from inference.models.loading import (
    ModelCorrupt,
    ModelMissing,
    ModelUnreadable,
    ProgressCallback,
    check_sizes,
    verify_model,
)
from inference.models.loading.component import Component, Form, NotMappable
from inference.models.loading.manifest import SnapshotUnusable
from inference.models.loading.snapshot import SnapshotDiffers, write_snapshot
from inference.models.loading.strategy import STRATEGIES, Strategy, load
from inference.models.optimization.flags import DeviceKind
from inference.summarization.chat_weights import gguf_of
from inference.summarization.gguf_conversion import find_unpacked, unpacked
from meetings.management.cli import ParlanceCommand

MEBIBYTE = 1 << 20
KIBIBYTES = 1024
"""In a MiB."""


class Command(ParlanceCommand):
    help = "Lists, fetches, verifies and loads the models, and writes snapshots of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="what the catalogue holds, and what is here")
        fetch = actions.add_parser("fetch", help="download what is missing or damaged, checking every byte")
        fetch.add_argument("names", nargs="*", metavar="NAME", help="default: the models of PARLANCE_PROFILE")
        fetch.add_argument(
            "--no-unpack", action="store_true", help="leave the summariser packed; `live` unpacks it later"
        )
        fetch.add_argument("--force", action="store_true", help="download again what is here and whole")
        verify = actions.add_parser("verify", help="read every byte and compare it with the published sha256")
        verify.add_argument("names", nargs="*", metavar="NAME", help="default: the models of PARLANCE_PROFILE")
        snapshot = actions.add_parser("snapshot", help="write networks in their in-memory layout, and compare")
        snapshot.add_argument("names", nargs="+", metavar="NAME")
        load = actions.add_parser("load", help="load networks once; print how, the seconds and the memory")
        load.add_argument("names", nargs="+", metavar="NAME")
        load.add_argument("--strategy", choices=STRATEGIES, help="try only this way; default: the first that works")
        for action in (snapshot, load):
            action.add_argument(
                "--device",
                choices=("cpu", "cuda"),
                help="the device that they will run on, here or elsewhere; default: PARLANCE_DEVICE",
            )

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        models: Path = settings.ENVIRONMENT.models
        if action == "list":
            self._list(models)
        elif action == "fetch":
            for model in _chosen(options["names"]):
                self._fetch(model, models, force=options["force"], unpacks=not options["no_unpack"])
        elif action == "verify":
            for model in _chosen(options["names"]):
                self._verify(model, models)
        else:
            for model in _chosen(options["names"]):
                self._components(model, models, action, options["device"], options.get("strategy"))

    def _list(self, models: Path) -> None:
        for model in MODELS:
            size = f"{model.size / MEBIBYTE:.0f} MiB" if model.size else "size unknown"
            self.stdout.write(
                f"{model.name:<32} {model.stage:<11} {model.profile:<8} {_presence(model, models):<10} {size:<13} "
                f"{model.licence:<18} {model.description}; {model.source}"
            )

    def _fetch(self, model: Model, models: Path, *, force: bool, unpacks: bool) -> None:
        fetch = fetch_model if force else ensure_model
        # Every byte is written once and read once for its digest.
        with _progress(f"{model.name}: unpack and check", 2 * (model.size or 0)) as advance:
            folder = fetch(model, models, advance)
        if model.stage == "summary" and unpacks:
            self._unpack(model, folder)
        self.stdout.write(f"{model.name}: {folder}")

    def _unpack(self, model: Model, folder: Path) -> None:
        """Unpack once, so that no summary has to wait for it."""
        gguf = gguf_of(folder)
        if gguf is None or find_unpacked(gguf):
            return
        self.stderr.write(f"{model.name}: unpacking the weights, once, about a minute")
        unpacked(gguf)

    def _verify(self, model: Model, models: Path) -> None:
        with _progress(f"{model.name}: verify", model.size or 0) as advance:
            verify_model(model, models, advance)
        pinned = all(file.sha256 for file in model.files)
        self.stdout.write(
            f"{model.name}: {'every byte as published' if pinned else 'all files present; no published digests known'}"
        )

    def _components(
        self, model: Model, models: Path, action: str, kind: DeviceKind | None, strategy: Strategy | None
    ) -> None:
        """Snapshot or load the components. Raises CommandError if that is not possible."""
        # Importing torch takes a second; the other actions do not need it.
        from inference.components import model_components, model_form

        environment = settings.ENVIRONMENT
        form = model_form(model, kind or choose_device(environment.device).kind, environment.optimizations)
        try:
            for component in model_components(model, check_sizes(model, models)):
                if action == "snapshot":
                    self.stdout.write(f"{model.name}: {write_snapshot(component, form)}")
                else:
                    self._load(component, form, strategy)
        except (SnapshotUnusable, NotMappable, SnapshotDiffers) as error:
            raise CommandError(f"{model.name}: {error}.") from error

    def _load(self, component: Component, form: Form, strategy: Strategy | None) -> None:
        loaded = load(component, form, [strategy] if strategy else STRATEGIES)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES
        self.stdout.write(
            f"{component.name}: {loaded.strategy}, {form.dtype}, {loaded.seconds:.2f} s, {peak:.0f} MiB at most in "
            "this process"
        )
        for refusal in loaded.refusals:
            self.stdout.write(f"  not by {refusal.strategy}: {refusal.reason}")


def _chosen(names: list[str]) -> list[Model]:
    return [find_model(name) for name in names] or list(fetched_models(settings.ENVIRONMENT.profile))


def _presence(model: Model, models: Path) -> str:
    try:
        check_sizes(model, models)
    except ModelUnreadable:
        return "unreadable"
    except ModelMissing:
        return "absent"
    except ModelCorrupt:
        return "damaged"
    return "here"


@contextmanager
def _progress(label: str, total: int) -> Iterator[ProgressCallback]:
    """Show a progress bar on a terminal's standard error, from the first byte on, so not if there is nothing to do."""
    with tqdm(
        desc=label, total=total, unit="B", unit_scale=True, delay=0.2, disable=not sys.stderr.isatty(), leave=False
    ) as bar:
        yield bar.update
