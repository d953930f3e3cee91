"""`manage.py translate`: translate lines of text from standard input."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from inference.translation.translator import Translation, TranslationRequest, Translator
from meetings.device.translation import load_translator
from meetings.exit_codes import BAD_INPUT
from meetings.languages import language_code, language_name
from meetings.management.cli import ParlanceCommand
from meetings.offers import offered_targets, why_unreadable

LINE_BATCH = 16
"""Lines translated and written together."""


class Command(ParlanceCommand):
    help = (
        "Translates standard input to standard output, line by line; blank lines stay blank. A line that the models "
        "cannot translate stays as it is and is named on standard error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="CODE", required=True, help="the language of the lines, such as en")
        parser.add_argument("--target", metavar="CODE", required=True, help="the language to write, such as pt")
        parser.add_argument("--vocabulary", default="", metavar="TERMS", help="names and jargon, separated by commas")

    def handle(self, *_: Any, source: str, target: str, vocabulary: str, **__: Any) -> None:
        source, target = (language_code(name) or name for name in (source, target))
        if target == source:
            raise CommandError(f"The lines are in {language_name(source)} already.", returncode=BAD_INPUT)
        if target not in offered_targets(settings.ENVIRONMENT, source):
            raise CommandError(why_unreadable(settings.ENVIRONMENT, source, target), returncode=BAD_INPUT)
        terms = tuple(term.strip() for term in vocabulary.split(",") if term.strip())
        translator = load_translator(settings.ENVIRONMENT)
        written = 0
        for batch in batches(line.rstrip("\r\n") for line in sys.stdin):
            requests = [TranslationRequest(line, source, target, terms) for line in batch]
            translations = translated(translator, requests)
            self.stdout.write("".join(f"{done.text}\n" for done in translations), ending="")
            self.stdout.flush()
            for number, done in enumerate(translations, start=written + 1):
                if not done.translated:
                    self.stderr.write(f"Line {number} is not translated.")
            written += len(translations)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield batches of at most LINE_BATCH lines, reading no further than the current batch."""
    remaining = iter(lines)
    while batch := list(islice(remaining, LINE_BATCH)):
        yield batch


def translated(translator: Translator, requests: Sequence[TranslationRequest]) -> list[Translation]:
    """Return one line per request, in order."""
    spoken = iter(translator.translate([request for request in requests if request.text.strip()]))
    return [next(spoken) if request.text.strip() else Translation("", translated=True) for request in requests]
