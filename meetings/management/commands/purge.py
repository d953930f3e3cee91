"""`manage.py purge`: delete what is past its retention period, as workers also do."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from meetings.management.cli import ParlanceCommand
from meetings.store.retention import forget_machinery, purge


class Command(ParlanceCommand):
    help = "Deletes meetings and recordings that are older than PARLANCE_KEEP_TEXT_DAYS and PARLANCE_KEEP_AUDIO_DAYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *_: Any, **options: Any) -> None:
        found = purge(is_rehearsal=options["dry_run"])
        while not options["dry_run"] and forget_machinery():
            pass
        verb = "Would delete" if options["dry_run"] else "Deleted"
        self.stdout.write(f"{verb} {len(found.meetings)} meetings, and the recordings of {len(found.recordings)} more.")
