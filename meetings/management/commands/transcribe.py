"""`manage.py transcribe`: caption a recorded file, with speakers, translations and a summary."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.core.management import CommandError
from tqdm import tqdm

from inference.audio import SAMPLE_RATE
from inference.diarization.clustering import SpeakerHint
from inference.media.options import DecodeOptions, UnknownTrack, track_options
from inference.media.raw_formats import OFFERED, UnknownInputFormat, raw_format
from inference.models.device import NoSuchDevice
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.speech.session import SessionConfig
from inference.summarization.loader import chat_model_source
from meetings.batch.jobs import Job, SameName, is_done, is_place, plan
from meetings.batch.recording import Hearing
from meetings.batch.summary import recording_summary, sum_up, translate_recording_summary
from meetings.batch.transcription import (
    AudioProgress,
    Channels,
    Models,
    Transcription,
    TranscriptionOptions,
    transcribe_recording,
    transcription_object,
)
from meetings.device.diarization import load_listener
from meetings.device.engines import load_engine
from meetings.device.summarization import load_summarizer, summary_model
from meetings.device.translation import load_translator
from meetings.environment import AsrBackend, Environment
from meetings.exit_codes import BAD_INPUT, FAILURE
from meetings.export.formats import BINARY, FORMATS, ONE_LANGUAGE, WITHOUT_SUMMARY, render_cues
from meetings.export.storages import open_storage, storage_errors
from meetings.languages import AUTO, LANGUAGES, interface_of, language_code, language_name
from meetings.management.cli import ERROR_ANSWERS, ParlanceCommand, command_error
from meetings.models import MAX_SPEAKERS
from meetings.offers import offered_targets, why_unreadable
from meetings.supervise import contained_call

DEFAULT_FORMAT = "txt"


@dataclass(frozen=True, slots=True)
class Product:
    """The result for one recording."""

    content: bytes
    """The transcript in the requested format."""
    warning: str
    """Sentences about missing parts and the like; empty: none."""
    is_whole: bool
    """Whether the recording could be read to its end."""


Producer = Callable[[Path], Product]

OF_ALL_FILES = (ModelMissing, ModelCorrupt, NoSuchDevice, ImproperlyConfigured)
"""Errors that every other file would have too."""


class Command(ParlanceCommand):
    help = "Transcribes recorded files: anything with sound that FFmpeg reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
        parser.add_argument(
            "--language",
            default=AUTO,
            metavar="CODE[,CODE]",
            help="spoken language, or several of which each utterance has one; default: detect among all",
        )
        parser.add_argument(
            "--track",
            default="",
            metavar="N",
            help="number of a film's audio track, from 1, or `all` to mix them; default: the default one, mixed with "
            "others on which people speak",
        )
        parser.add_argument(
            "--input-format", default="", metavar="FORMAT", help=f"what a file without a header holds: {OFFERED}"
        )
        parser.add_argument("--vocabulary", default="", metavar="TERMS", help="names and jargon, separated by commas")
        parser.add_argument(
            "--translate",
            default="",
            metavar="CODE[,CODE]",
            help="languages to translate into; JSON has the original and all of them, "
            "every other format takes one and is written in it",
        )
        speakers = parser.add_mutually_exclusive_group()
        speakers.add_argument("--no-speakers", action="store_true", help="do not tell speakers apart")
        speakers.add_argument("--speakers", type=int, metavar="N", help="how many people speak; default: detected")
        speakers.add_argument(
            "--speaker-per-channel", action="store_true", help="each channel of a file is a speaker, such as in calls"
        )
        parser.add_argument(
            "--backend",
            choices=get_args(AsrBackend),
            default=settings.ENVIRONMENT.asr_backend,
            help="the library that runs Whisper; default: PARLANCE_ASR_BACKEND",
        )
        parser.add_argument(
            "--no-second-pass", action="store_true", help="do not read the recording again: faster, with more errors"
        )
        parser.add_argument(
            "--summary", action="store_true", help=f"add a summary; not in {', '.join(WITHOUT_SUMMARY)}"
        )
        parser.add_argument("--format", choices=FORMATS, help=f"default: by the ending of OUT, else {DEFAULT_FORMAT}")
        parser.add_argument(
            "-o",
            "--output",
            metavar="OUT",
            help="a file, or a folder or s3://bucket/prefix for several; a transcript newer than its FILE is skipped; "
            "default: standard output",
        )
        parser.add_argument(
            "--again", action="store_true", help="write transcripts again that are newer than their FILE"
        )

    def handle(self, *_: Any, files: list[Path], output: str | None, **options: Any) -> None:
        format_name = options["format"] or _format_of(output)
        wishes = read_wishes(options, format_name)
        decoding = read_decoding(options)
        if options["summary"]:
            _require_summary(format_name)
        if output is None and format_name in BINARY:
            raise CommandError(f"A {format_name} file needs a name: give -o.", returncode=BAD_INPUT)
        produce = _producer(wishes, decoding, format_name, options)
        if output is not None and is_place(output):
            self._batch(files, output, format_name, produce, again=options["again"])
            return
        if len(files) > 1:
            found = "" if output is None else f" There is no folder {output}."
            raise CommandError(
                f"Several files need -o with a folder or s3://bucket/prefix.{found}", returncode=BAD_INPUT
            )
        place = None if output is None else _writable(Path(output))
        product = produce(files[0])
        if place is None:
            self.stdout.write(product.content.decode(), ending="")
        else:
            _write(place, product.content)
        if not product.is_whole:
            raise CommandError(product.warning, returncode=FAILURE)
        self._warn(product)

    def _warn(self, product: Product) -> None:
        if product.warning:
            self.stderr.write(product.warning)

    def _batch(self, files: list[Path], output: str, format_name: str, produce: Producer, *, again: bool) -> None:
        """Process one file after the other; one that fails does not stop the rest, and is named at the end."""
        storage, failed = open_storage(output), dict[Path, int]()
        try:
            for job in plan(files, format_name):
                if code := self._do(job, storage, produce, again=again):
                    failed[job.file] = code
        except SameName as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error
        except storage_errors() as error:
            raise CommandError(f"{output} cannot be used: {error}", returncode=FAILURE) from error
        if failed:
            sentence = f"{len(failed)} of {len(files)} files could not be transcribed: {', '.join(map(str, failed))}."
            raise CommandError(sentence, returncode=min(failed.values()))

    def _do(self, job: Job, storage: Storage, produce: Producer, *, again: bool) -> int:
        """Return the exit code of one file, after printing why it failed; what was read of it is written anyway."""
        if not os.path.isfile(job.file):  # `Path.is_file` raises where a folder cannot be entered
            self.stderr.write(f"{job.file}: There is no such file.")
            return BAD_INPUT
        if not again and is_done(job, storage):
            self.stdout.write(f"{job.file}: {job.name} is there already.")
            return 0
        done = contained_call(lambda: produce(job.file), fatal=OF_ALL_FILES)
        if done.value is None:
            failure = file_error(job.file, done.error or AssertionError())
            self.stderr.write(str(failure))
            return failure.returncode
        storage.save(job.name, ContentFile(done.value.content))
        self._warn(done.value)
        self.stdout.write(f"{job.file}: {job.name}")
        return 0 if done.value.is_whole else FAILURE


def file_error(file: Path, error: Exception) -> CommandError:
    """Return sentence and exit code for what stopped one file. An unexpected error may quote what people said."""
    if isinstance(error, tuple(ERROR_ANSWERS)):
        return command_error(error)
    return CommandError(f"{file} could not be transcribed: {type(error).__name__}.", returncode=FAILURE)


def read_wishes(options: dict[str, Any], format_name: str) -> TranscriptionOptions:
    """Return the options of the transcription. Raises CommandError if they cannot be met."""
    spoken = _spoken(options["language"])
    terms = tuple(term.strip() for term in options["vocabulary"].split(",") if term.strip())
    is_fixed = len(spoken) == 1
    session = SessionConfig(spoken[0] if is_fixed else None, allowed=() if is_fixed else spoken, vocabulary=terms)
    return TranscriptionOptions(
        session, _targets(options["translate"], spoken, format_name), _hint(options["speakers"])
    )


def read_decoding(options: dict[str, Any]) -> DecodeOptions:
    """Return how to read the files. Raises CommandError for an unknown track or format."""
    try:
        track, tracks = track_options(options["track"])
        if options["input_format"]:
            raw_format(options["input_format"])
    except (UnknownTrack, UnknownInputFormat) as error:
        raise CommandError(str(error), returncode=BAD_INPUT) from error
    return DecodeOptions(
        input_format=options["input_format"],
        track=track,
        tracks=tracks,
        separate_channels=options["speaker_per_channel"],
    )


def _spoken(value: str) -> tuple[str, ...]:
    """Return the languages that may be spoken; empty: any."""
    named = {name: language_code(name) for name in _names(value)}
    if set(named.values()) == {AUTO}:
        return ()
    for name, code in named.items():
        if code not in LANGUAGES:
            raise CommandError(
                f"{name!r} is no language code; use {AUTO} or some such as en, pt, es.", returncode=BAD_INPUT
            )
    return _codes(value)


def _targets(value: str, spoken: tuple[str, ...], format_name: str) -> tuple[str, ...]:
    """Return the languages to translate into. Raises CommandError unless some spoken language has each of them."""
    targets = _codes(value)
    for target in targets:
        _require_offer(target, spoken)
    if len(targets) > 1 and format_name in ONE_LANGUAGE:
        raise CommandError(
            f"A {format_name} file is in one language; use --format json, or give --translate one code.",
            returncode=BAD_INPUT,
        )
    return targets


def _require_offer(target: str, spoken: tuple[str, ...]) -> None:
    if spoken == (target,):
        raise CommandError(
            f"{language_name(target)} is what is spoken; leave it out of --translate.", returncode=BAD_INPUT
        )
    environment = settings.ENVIRONMENT
    if not any(target in offered_targets(environment, source) for source in spoken or (AUTO,)):
        source = spoken[0] if len(spoken) == 1 else AUTO
        raise CommandError(why_unreadable(environment, source, target), returncode=BAD_INPUT)


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _codes(value: str) -> tuple[str, ...]:
    """Return the languages as codes, each once. An unknown name stays, and is rejected by whoever looks it up."""
    return tuple(dict.fromkeys(language_code(name) or name for name in _names(value)))


def _hint(speakers: int | None) -> SpeakerHint | None:
    if speakers is None:
        return None
    if not 1 <= speakers <= MAX_SPEAKERS:
        raise CommandError(f"--speakers is {speakers}; use 1 to {MAX_SPEAKERS}.", returncode=BAD_INPUT)
    return SpeakerHint(speakers, speakers)


def _format_of(output: str | None) -> str:
    ending = Path(output).suffix.removeprefix(".") if output else ""
    return ending if ending in FORMATS else DEFAULT_FORMAT


def _producer(
    wishes: TranscriptionOptions, decoding: DecodeOptions, format_name: str, options: dict[str, Any]
) -> Producer:
    """Return a function that makes a file's transcript. Models load once, unless those for summaries replace them."""
    environment = replace(settings.ENVIRONMENT, asr_backend=options["backend"])
    load: Callable[[], Models] = partial(_load, environment, translates=bool(wishes.targets))
    add_listener: Callable[[Models], Models] = partial(_with_listener, environment)
    if not options["summary"]:
        load, add_listener = cache(load), cache(add_listener)

    def produce(file: Path) -> Product:
        # Read the first second before loading models, so that an unsuitable file is rejected at once.
        hearing = Hearing(file, decoding)
        models = load() if options["no_speakers"] or hearing.channels > 1 else add_listener(load())
        transcription = _transcribe(hearing, file.name, wishes, models, is_read_again=not options["no_second_pass"])
        if options["summary"]:
            transcription = _summed_up(transcription, wishes)
        content = _rendered(transcription, wishes, format_name, title=file.name)
        remarks = (models.without, hearing.remarks(has_captions=bool(transcription.cues)))
        return Product(content, " ".join(filter(None, remarks)), hearing.broken_off is None)

    return produce


def _writable(output: Path) -> Path:
    if not output.parent.is_dir():
        raise CommandError(f"There is no folder {output.parent} to write {output.name} into.", returncode=BAD_INPUT)
    return output


def _transcribe(
    hearing: Hearing, name: str, wishes: TranscriptionOptions, models: Models, *, is_read_again: bool
) -> Transcription:
    channels = Channels(hearing.channels, hearing.loudness) if hearing.channels > 1 else None
    again = partial(_heard_again, hearing, f"{name}, second pass") if is_read_again else None
    with _progress(name, hearing.duration_s) as advance:
        transcription = transcribe_recording(hearing, models, wishes, again=again, advance=advance, channels=channels)
    return replace(transcription, missing_s=hearing.missing_s, sound=hearing.sound)


def _heard_again(hearing: Hearing, name: str) -> Iterator[np.ndarray]:
    """Yield the audio once more, with a progress bar of its own."""
    with _progress(name, hearing.duration_s) as advance:
        for block in hearing.again():
            yield block
            advance(block.shape[-1] / SAMPLE_RATE)


def _load(environment: Environment, *, translates: bool) -> Models:
    return Models(load_engine(environment), translator=load_translator(environment) if translates else None)


def _with_listener(environment: Environment, models: Models) -> Models:
    """Return the models with those for speakers, or else with the sentence why they are missing."""
    try:
        return replace(models, listener=load_listener(environment))
    except (ModelMissing, ModelCorrupt) as error:
        return replace(models, without=f"Speakers are not told apart: {error}")


def _require_summary(format_name: str) -> None:
    """Reject early what would otherwise fail after the last caption. Raises as `chat_model_source` does."""
    if format_name in WITHOUT_SUMMARY:
        raise CommandError(
            f"A {format_name} file has no place for a summary; use --format md, or leave --summary out.",
            returncode=BAD_INPUT,
        )
    chat_model_source(summary_model(settings.ENVIRONMENT), settings.ENVIRONMENT.models)


def _summed_up(transcription: Transcription, wishes: TranscriptionOptions) -> Transcription:
    """Load the summary models when those for captions are released, as in a meeting."""
    environment = settings.ENVIRONMENT
    transcription = sum_up(transcription, load_summarizer(environment))
    if not wishes.targets:
        return transcription
    translator, vocabulary = load_translator(environment), wishes.session.vocabulary
    return translate_recording_summary(transcription, translator, target=wishes.targets[0], vocabulary=vocabulary)


@contextmanager
def _progress(name: str, duration_s: float | None) -> Iterator[AudioProgress]:
    with tqdm(
        desc=name,
        total=duration_s or 0,
        unit="s",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}, {rate_fmt}]",
        disable=not sys.stderr.isatty(),
        leave=False,
    ) as bar:
        yield bar.update


def _rendered(transcription: Transcription, wishes: TranscriptionOptions, format_name: str, *, title: str) -> bytes:
    language = wishes.targets[0] if wishes.targets else None
    with interface_of(language):
        digest = recording_summary(transcription)
    if format_name == "json":
        content = transcription_object(transcription, digest=digest)
        return f"{json.dumps(content, ensure_ascii=False, indent=1)}\n".encode()
    return render_cues(transcription.cues, format_name, title=title, language=language, digest=digest).content


def _write(output: Path, content: bytes) -> None:
    """Write to a temporary file first, so that a full disk leaves the old file intact."""
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
