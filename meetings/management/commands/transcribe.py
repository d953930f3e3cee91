"""`manage.py transcribe`: the captions of a recorded file."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from tqdm import tqdm

from inference.audio import decode_file
from inference.session import SessionConfig
from meetings.cli import BAD_INPUT, ParlanceCommand
from meetings.engines import load_engine
from meetings.exports import FORMATS, render_cues
from meetings.languages import AUTO, LANGUAGES
from meetings.transcription import Advance, Transcription, transcribe_recording, transcription_object

DEFAULT_FORMAT = "txt"


class Command(ParlanceCommand):
    help = "Transcribes a recorded file: anything with sound that FFmpeg reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--language", default=AUTO, metavar="CODE", help="spoken language; default: detected")
        parser.add_argument("--vocabulary", default="", metavar="TERMS", help="names and jargon, separated by commas")
        parser.add_argument("--translate", metavar="CODE", help="comes with a later release")
        parser.add_argument(
            "--no-speakers", action="store_true", help="do not tell speakers apart (nor does this release)"
        )
        parser.add_argument("--summary", action="store_true", help="comes with a later release")
        parser.add_argument("--format", choices=FORMATS, help=f"default: by the ending of OUT, else {DEFAULT_FORMAT}")
        parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="default: standard output")

    def handle(self, *_: Any, file: Path, output: Path | None, **options: Any) -> None:
        refuse_unbuilt(options)
        format_name = options["format"] or _format_of(output)
        config = session_config(options["language"], options["vocabulary"])
        if output is not None and not output.parent.is_dir():
            raise CommandError(f"There is no folder {output.parent} to write {output.name} into.", returncode=BAD_INPUT)
        body = _rendered(_transcribe(file, config), format_name, title=file.name)
        if output is None:
            self.stdout.write(body, ending="")
        else:
            _write(output, body)


def refuse_unbuilt(options: dict[str, Any]) -> None:
    """Says so where somebody asks for what this release cannot do."""
    if options["translate"]:
        raise CommandError("Translation comes with a later release; leave --translate out.", returncode=BAD_INPUT)
    if options["summary"]:
        raise CommandError("Summaries come with a later release; leave --summary out.", returncode=BAD_INPUT)


def session_config(language: str, vocabulary: str) -> SessionConfig:
    """What the options ask for. Raises CommandError for a language that nobody knows."""
    if language != AUTO and language not in LANGUAGES:
        raise CommandError(
            f"{language!r} is no language code; use {AUTO} or one such as en, pt, es.", returncode=BAD_INPUT
        )
    terms = tuple(term.strip() for term in vocabulary.split(",") if term.strip())
    return SessionConfig(language=None if language == AUTO else language, vocabulary=terms)


def _format_of(output: Path | None) -> str:
    ending = output.suffix.removeprefix(".") if output else ""
    return ending if ending in FORMATS else DEFAULT_FORMAT


def _transcribe(file: Path, config: SessionConfig) -> Transcription:
    """Reads the first second before the models load, so that a wrong file is refused at once."""
    blocks = decode_file(file)
    blocks = chain([next(blocks)], blocks)
    engine = load_engine(settings.ENVIRONMENT)
    with _progress(file) as advance:
        return transcribe_recording(blocks, engine, config, advance=advance)


@contextmanager
def _progress(file: Path) -> Iterator[Advance]:
    with tqdm(
        desc=file.name,
        total=_duration(file),
        unit="s",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}, {rate_fmt}]",
        disable=not sys.stderr.isatty(),
        leave=False,
    ) as bar:
        yield bar.update


def _duration(file: Path) -> float:
    """Seconds as the container says; 0 when it does not."""
    import av

    with av.open(str(file)) as container:
        return (container.duration or 0) / av.time_base


def _rendered(transcription: Transcription, format_name: str, *, title: str) -> str:
    if format_name == "json":
        return json.dumps(transcription_object(transcription), ensure_ascii=False, indent=1) + "\n"
    return render_cues(transcription.cues, format_name, title=title).body


def _write(output: Path, body: str) -> None:
    """A full disk leaves the old file, not half of the new one."""
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        unfinished.write_text(body, encoding="utf-8")
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
