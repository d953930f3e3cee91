"""`manage.py restore`: restore an installation from a backup."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from meetings.backups.restoring import restore
from meetings.management.cli import ParlanceCommand


class Command(ParlanceCommand):
    help = "Puts a backup into a PARLANCE_DATA, and a database, in which there is nothing yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archive", type=Path, metavar="FILE.tar")

    def handle(self, *_: Any, archive: Path, **__: Any) -> None:
        manifest = restore(settings.ENVIRONMENT, archive)
        self.stdout.write(
            f"Restored what was stored on {manifest.made_at}. Run `manage.py migrate`, then start Parlance as ever."
        )
