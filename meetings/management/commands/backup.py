"""`manage.py backup`: back up a running installation into one file."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from meetings.backups.saving import save
from meetings.management.cli import ParlanceCommand


class Command(ParlanceCommand):
    help = "Writes everything that is stored into one file, for `restore`. It holds what was said: keep it safe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, metavar="FILE.tar|FOLDER")

    def handle(self, *_: Any, target: Path, **__: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up on SIGTERM too
        saved = save(settings.ENVIRONMENT, target)
        self.stdout.write(f"{saved.path} holds everything up to now ({saved.size / 1e6:.1f} MB).")
        if settings.ENVIRONMENT.broker_url:
            self.stderr.write(
                "The broker at REDIS_URL is not in it: copy its append-only file before each backup (docs/deploy.md)."
            )
