"""`manage.py translate`: named in the contract, and honest about not being there yet."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from meetings.cli import BAD_INPUT, ParlanceCommand


class Command(ParlanceCommand):
    help = "Translates lines of text; comes with a later release."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="CODE")
        parser.add_argument("--target", metavar="CODE")

    def handle(self, *_: Any, **__: Any) -> None:
        raise CommandError("Translation comes with a later release.", returncode=BAD_INPUT)
