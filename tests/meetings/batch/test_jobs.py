"""`transcribe` with many files: into a folder and into a bucket of a real S3 server, gone on with."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.core.files.storage import Storage
from django.core.management import CommandError, call_command

from inference.audio import SAMPLE_RATE, UnreadableAudioError
from inference.media.options import DecodeOptions
from meetings.batch.jobs import Job, SameName, is_done, is_place, plan
from meetings.batch.recording import Hearing
from meetings.export.storages import open_storage
from tests.inference.diarization.doubles import SilentListener
from tests.inference.doubles import ScriptedTranscriber
from tests.meetings.s3 import BUCKET, s3_server

COMMAND = "meetings.management.commands.transcribe"


@pytest.fixture(autouse=True)
def scripted_models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Loaded how often."""
    from inference.speech.engine import Engine

    loaded: list[str] = []

    def load(_: Any) -> Engine:
        loaded.append("engine")
        return Engine(ScriptedTranscriber())

    monkeypatch.setattr(f"{COMMAND}.load_engine", load)
    monkeypatch.setattr(f"{COMMAND}.load_listener", lambda _: SilentListener())
    return loaded


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """Two with sound, and between them one that is none."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("one.wav", "two.flac"):
        soundfile.write(folder / name, np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    (folder / "note.wav").write_text("no recording")
    return [folder / "one.wav", folder / "note.wav", folder / "two.flac"]


def transcribe(*arguments: object) -> tuple[str, str, str]:
    """What it says, of what it complains, and how it ends."""
    output, errors = StringIO(), StringIO()
    try:
        call_command("transcribe", *map(str, arguments), stdout=output, stderr=errors)
    except CommandError as failure:
        return output.getvalue(), errors.getvalue(), str(failure)
    return output.getvalue(), errors.getvalue(), ""


def test_one_bad_file_holds_up_no_other(recordings: list[Path], tmp_path: Path, scripted_models: list[str]) -> None:
    said, complained, end = transcribe(*recordings, "-o", f"{tmp_path}/out/", "--format", "vtt")
    assert [line.rpartition(": ")[2] for line in said.splitlines()] == ["one.vtt", "two.vtt"]
    assert "note.wav cannot be read as audio" in complained
    assert end == f"1 of 3 files could not be transcribed: {recordings[1]}."
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "one.vtt": "WEBVTT\n",
        "two.vtt": "WEBVTT\n",
    }
    assert scripted_models == ["engine"]


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (UnreadableAudioError("two.flac is no recording"), 2, "two.flac is no recording."),
        (OSError(5, "Input/output error", "two.flac"), 1, "two.flac: Input/output error."),
        (RuntimeError("what people said"), 1, "{two} could not be transcribed: RuntimeError."),
    ],
)
def test_whatever_befalls_one_file_the_others_are_done_and_it_is_named_at_the_end(
    recordings: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, complaint: str
) -> None:
    """The exit code is 2 only where nothing but bad input is the reason."""
    first, note, bad = recordings

    def hearing(path: Path, options: DecodeOptions) -> Hearing:
        if path == bad:
            raise error
        return Hearing(path, options)

    monkeypatch.setattr(f"{COMMAND}.Hearing", hearing)
    output, errors = StringIO(), StringIO()
    arguments = [*map(str, (bad, note, first)), "-o", f"{tmp_path}/out/"]
    with pytest.raises(CommandError) as failure:
        call_command("transcribe", *arguments, stdout=output, stderr=errors)
    assert errors.getvalue().splitlines()[0] == complaint.format(two=bad)
    assert str(failure.value) == f"2 of 3 files could not be transcribed: {bad}, {note}."
    assert failure.value.returncode == code
    assert output.getvalue() == f"{first}: one.txt\n"


def test_what_is_done_and_unchanged_is_not_done_again(
    recordings: list[Path], tmp_path: Path, scripted_models: list[str]
) -> None:
    first, _, last = recordings
    transcribe(first, last, "-o", tmp_path)
    os.utime(last, (4_000_000_000, 4_000_000_000))
    said, _, _ = transcribe(first, last, "-o", tmp_path)
    assert said.splitlines() == [f"{first}: one.txt is there already.", f"{last}: two.txt"]
    said, _, _ = transcribe(first, "-o", tmp_path, "--again")
    assert said == f"{first}: one.txt\n"
    assert len(scripted_models) == 3


def test_a_bucket_tells_time_in_whole_seconds(recordings: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = recordings
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        transcribe(first, "-o", f"s3://{BUCKET}")
        storage = open_storage(f"s3://{BUCKET}")
        stored = storage.get_modified_time("one.txt").timestamp()
        job = Job(first, "one.txt")
        assert {after: _is_done_when_recorded(job, storage, stored + after) for after in (0.0, 0.999, 1.0)} == {
            0.0: True,
            0.999: True,
            1.0: False,
        }


def _is_done_when_recorded(job: Job, storage: Storage, at: float) -> bool:
    os.utime(job.file, (at, at))
    return is_done(job, storage)


def test_a_bucket_is_filled_and_gone_on_with(recordings: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, last = recordings
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        transcribe(first, "-o", f"s3://{BUCKET}/talks")
        said, _, _ = transcribe(first, last, "-o", f"s3://{BUCKET}/talks")
        assert said.splitlines() == [f"{first}: one.txt is there already.", f"{last}: two.txt"]
        assert server.objects() == {"talks/one.txt": b"one.wav\n\n", "talks/two.txt": b"two.flac\n\n"}
        server.stop()
        _, _, end = transcribe(first, "-o", f"s3://{BUCKET}/talks")
        server.start()
    assert end.startswith(f"s3://{BUCKET}/talks cannot be used: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a.wav", "b.wav"), "Several files need -o with a folder or s3://bucket/prefix."),
        (
            ("a.wav", "b.wav", "-o", "out"),
            "Several files need -o with a folder or s3://bucket/prefix. There is no folder out.",
        ),
        (("x/a.wav", "y/a.mp3", "-o", "/tmp/"), "x/a.wav and y/a.mp3 would both become a.txt; rename one"),
        (("nowhere.wav", "-o", "/tmp/"), "1 of 1 files could not be transcribed: nowhere.wav."),
    ],
)
def test_what_makes_no_sense_is_told(arguments: tuple[str, ...], sentence: str) -> None:
    assert transcribe(*arguments)[2].startswith(sentence)


def test_files_of_one_name_are_refused_before_anything_is_done() -> None:
    with pytest.raises(SameName):
        plan([Path("x/a.wav"), Path("y/a.wav")], "txt")
    assert plan([Path("x/a.wav"), Path("x/b.wav")], "srt") == [
        Job(Path("x/a.wav"), "a.srt"),
        Job(Path("x/b.wav"), "b.srt"),
    ]


def test_places_for_many_are_folders_and_buckets(tmp_path: Path) -> None:
    assert all(is_place(place) for place in ("s3://b/p", "out/", str(tmp_path)))
    assert not any(is_place(place) for place in ("out", "out.txt", str(tmp_path / "out.txt")))


def test_an_older_transcript_is_not_done(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    recording, transcript = tmp_path / "a.wav", tmp_path / "a.txt"
    recording.touch()
    assert not is_done(Job(recording, "a.txt"), storage)
    transcript.touch()
    os.utime(recording, (1_000, 1_000))
    assert is_done(Job(recording, "a.txt"), storage)
    os.utime(transcript, (500, 500))
    assert not is_done(Job(recording, "a.txt"), storage)


@pytest.mark.parametrize(
    ("stored", "recorded", "done"),
    [(1_000.0, 1_000.75, True), (1_000.0, 1_001.0, False), (1_000.5, 1_000.75, False), (1_000.5, 1_000.5, True)],
)
def test_times_are_compared_as_exactly_as_the_folder_keeps_them(
    tmp_path: Path, stored: float, recorded: float, done: bool
) -> None:
    """A folder on FAT, or on some networks, has whole seconds."""
    recording, transcript = tmp_path / "a.wav", tmp_path / "a.txt"
    for path, at in ((recording, recorded), (transcript, stored)):
        path.touch()
        os.utime(path, (at, at))
    assert is_done(Job(recording, "a.txt"), open_storage(str(tmp_path))) is done
