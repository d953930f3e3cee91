from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import soundfile
from django.conf import settings
from django.core.management import CommandError, call_command

from inference.audio import SAMPLE_RATE, decode_file
from inference.diarization.clustering import SpeakerHint
from inference.diarization.turns import SpeakerTurn
from inference.media import process
from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.speech.session import SessionConfig
from inference.translation.translator import TranslationRequest
from meetings.batch.transcription import TranscriptionOptions
from meetings.device.translation import load_translator
from meetings.environment import Environment
from meetings.management.commands.transcribe import read_wishes
from tests import recordings
from tests.hearing import SENTENCE, is_heard, plain
from tests.inference.diarization.meetings import read_turns
from tests.inference.summarization import tiny_chat

CLIP = "lobster_24s"
SUMMED_UP_S = 12.0


def transcribe(*arguments: object) -> str:
    output = StringIO()
    call_command("transcribe", *map(str, arguments), stdout=output)
    return output.getvalue()


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.wav"
    soundfile.write(path, np.zeros(2 * SAMPLE_RATE), SAMPLE_RATE)
    return path


@pytest.fixture(scope="module")
def voice_models(models: Path) -> Path:
    return ensure_model(find_model("segmentation-campplus"), models)


@pytest.fixture(scope="module")
def meeting(whisper_base: Path, voice_models: Path, speech: Path) -> dict[str, object]:
    """Four readers, each of them twice, with everything that can be told about them."""
    clip = speech / "voices" / "four_voices.flac"
    options = ("--language", "en", "--translate", "pt", "--no-second-pass", "--format", "json")
    return json.loads(transcribe(clip, *options))


@pytest.fixture(scope="module")
def document(whisper_base: Path, speech: Path) -> dict[str, object]:
    return json.loads(transcribe(speech / f"{CLIP}.flac", "--language", "en", "--no-speakers", "--format", "json"))


def test_real_speech_is_written_down(document: dict, speech: Path) -> None:
    heard = " ".join(caption["text"] for caption in document["captions"])
    said = (speech / f"{CLIP}.txt").read_text(encoding="utf-8")
    assert is_heard(said, heard)
    assert len(plain(heard).split()) == pytest.approx(len(plain(said).split()), rel=0.2), "no caption lost or doubled"


def test_json_has_the_form_of_the_contract(document: dict) -> None:
    assert document["missing_s"] == 0.0
    assert set(document) == {"audio_s", "missing_s", "language", "rtf", "stages", "captions", "speakers", "summary"}
    assert document["audio_s"] == pytest.approx(22.8, abs=0.1)
    assert (document["language"], document["speakers"], document["summary"]) == ("en", [], None)
    assert set(document["stages"]) == {"audio", "asr", "second_pass"}
    assert document["rtf"] == pytest.approx(sum(document["stages"].values()) / document["audio_s"], abs=1e-3)


def test_captions_are_numbered_timed_and_made_of_their_words(document: dict) -> None:
    captions = document["captions"]
    assert [caption["seq"] for caption in captions] == list(range(1, len(captions) + 1))
    for caption in captions:
        assert set(caption) == {"seq", "start", "end", "speaker", "language", "text", "words", "translations"}
        assert caption["text"] == " ".join(word["text"] for word in caption["words"])
        assert caption["start"] == caption["words"][0]["start"] <= caption["end"] == caption["words"][-1]["end"]
        assert (caption["speaker"], caption["translations"]) == (None, {})
    ends = [caption["end"] for caption in captions]
    assert ends == sorted(ends)


def test_speakers_are_told_apart(meeting: dict, speech: Path) -> None:
    assert [speaker["id"] for speaker in meeting["speakers"]] == ["S1", "S2", "S3", "S4"]
    assert {speaker["name"] for speaker in meeting["speakers"]} == {None}
    turns = read_turns(speech / "voices" / "four_voices.rttm")
    readers = {speaker: _reader_of(speaker, meeting["captions"], turns) for speaker in ("S1", "S2", "S3", "S4")}
    assert set(readers.values()) == {turn.speaker for turn in turns}
    for speaker in meeting["speakers"]:
        mine = [caption for caption in meeting["captions"] if caption["speaker"] == speaker["id"]]
        seconds = sum(caption["end"] - caption["start"] for caption in mine)
        assert speaker["seconds"] == pytest.approx(seconds, abs=0.01)


def _reader_of(speaker: str, captions: list[dict], turns: Sequence[SpeakerTurn]) -> str | None:
    """Who speaks in what this speaker is thought to have said; None where that is not nearly all one reader's."""
    seconds: Counter[str | None] = Counter()
    for caption in captions:
        for turn in turns:
            shared = min(caption["end"], turn.end) - max(caption["start"], turn.start)
            if caption["speaker"] == speaker and shared > 0:
                seconds[turn.speaker] += shared
    [(reader, most)] = seconds.most_common(1)
    return reader if most > 0.9 * seconds.total() else None


def test_every_caption_is_translated(meeting: dict) -> None:
    said = [caption["text"] for caption in meeting["captions"]]
    expected = load_translator(settings.ENVIRONMENT).translate([TranslationRequest(text, "en", "pt") for text in said])
    assert [caption["translations"] for caption in meeting["captions"]] == [{"pt": one.text} for one in expected]
    assert set(meeting["stages"]) == {"audio", "asr", "speakers", "translation"}
    assert all(seconds > 0 for seconds in meeting["stages"].values())


def test_a_text_format_is_in_the_language_of_the_translation_and_names_voices(
    whisper_base: Path, voice_models: Path, speech: Path
) -> None:
    clip = speech / "portuguese" / "ufpalign_coxinha.flac"
    body = transcribe(clip, "--language", "pt", "--translate", "en", "--speakers", 1, "--format", "vtt")
    spoken = re.findall(r"<v ([^>]+)>(.+(?:\n.+)?)", body)
    text = " ".join(lines for _, lines in spoken)
    assert {voice for voice, _ in spoken} == {"Speaker 1"}
    assert {"i", "a", "the"} & set(plain(text).split())
    assert not is_heard(clip.with_suffix(".txt").read_text(encoding="utf-8"), text)


def test_a_bilingual_recording_is_translated_both_ways(whisper_base: Path, speech: Path, tmp_path: Path) -> None:
    english = np.concatenate(list(decode_file(speech / f"{CLIP}.flac")))[163_000:238_000]
    portuguese = np.concatenate(list(decode_file(speech / "portuguese" / "ufpalign_coxinha.flac")))
    path = tmp_path / "both.wav"
    soundfile.write(path, np.concatenate([english, np.zeros(SAMPLE_RATE), portuguese]), SAMPLE_RATE)
    options = ("--language", "en,pt", "--translate", "pt,en", "--no-speakers", "--format", "json")
    captions = json.loads(transcribe(path, *options))["captions"]
    assert [(caption["language"], list(caption["translations"])) for caption in captions] == [
        ("en", ["pt"]),
        ("pt", ["en"]),
    ]
    assert is_heard(SENTENCE, captions[0]["text"])
    assert is_heard("Eu quero uma coxinha de frango.", captions[1]["text"])


@pytest.mark.parametrize(
    ("options", "wishes"),
    [
        ({}, TranscriptionOptions(SessionConfig(None))),
        ({"language": "pt", "translate": "en"}, TranscriptionOptions(SessionConfig("pt"), ("en",))),
        (
            {"language": "en, pt,en", "translate": "pt,en"},
            TranscriptionOptions(SessionConfig(None, ("en", "pt")), ("pt", "en")),
        ),
        ({"vocabulary": " Ana, ,Bo "}, TranscriptionOptions(SessionConfig(None, vocabulary=("Ana", "Bo")))),
        ({"speakers": 2}, TranscriptionOptions(SessionConfig(None), speakers=SpeakerHint(2, 2))),
    ],
)
def test_options_become_wishes(options: dict[str, object], wishes: TranscriptionOptions) -> None:
    defaults = {"language": "auto", "translate": "", "vocabulary": "", "speakers": None}
    assert read_wishes(defaults | options, "json") == wishes


def test_silence_has_no_captions_and_no_language(
    whisper_base: Path, voice_models: Path, quiet: Path, tmp_path: Path
) -> None:
    transcribe(quiet, "-o", tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["audio_s"], document["language"]) == (2.0, None)
    assert (document["captions"], document["speakers"]) == ([], [])


def test_the_format_follows_the_name_of_the_output(whisper_base: Path, quiet: Path, tmp_path: Path) -> None:
    assert transcribe(quiet, "--no-speakers", "-o", tmp_path / "out.vtt") == ""
    assert (tmp_path / "out.vtt").read_text() == "WEBVTT\n"
    assert transcribe(quiet, "--no-speakers") == "quiet.wav\n\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.vtt", "quiet.wav"]


def test_a_broken_model_for_speakers_costs_only_the_names(
    quiet: Path, monkeypatch: pytest.MonkeyPatch, whisper_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(environment: Environment) -> NoReturn:
        raise ModelCorrupt("segmentation.bin has 1,000 bytes instead of 5,905,440.")

    monkeypatch.setattr("meetings.management.commands.transcribe.load_listener", load)
    errors = StringIO()
    call_command("transcribe", str(quiet), "--format", "vtt", stdout=StringIO(), stderr=errors)
    assert errors.getvalue() == (
        "Speakers are not told apart: segmentation.bin has 1,000 bytes instead of 5,905,440. "
        f"{quiet}: Nothing is captioned: there is only digital silence in this recording.\n"
    )


@pytest.mark.parametrize(("options", "backend"), [((), "auto"), (("--backend", "transformers"), "transformers")])
def test_the_library_is_that_of_the_option(
    quiet: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], backend: str
) -> None:
    asked: list[str] = []

    def load(environment: Environment) -> NoReturn:
        asked.append(environment.asr_backend)
        raise ModelMissing("There is none.")

    monkeypatch.setattr("meetings.management.commands.transcribe.load_engine", load)
    with pytest.raises(CommandError, match="There is none"):
        transcribe(quiet, "--no-speakers", *options)
    assert asked == [backend]


def test_a_missing_model_names_the_remedy(quiet: Path, tmp_path: Path, settings: object) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, models=tmp_path / "nowhere")
    with pytest.raises(CommandError, match=r"run `manage\.py models fetch whisper-base`") as failure:
        transcribe(quiet)
    assert failure.value.returncode == 1


@pytest.mark.parametrize(
    ("chosen", "sentence", "code"),
    [
        ("", r"run `manage\.py models fetch qwen2\.5-coder-0\.5b`", 1),
        ("/nowhere/model", "There is no folder /nowhere/model", 1),
        ("gpt", "gpt", 2),
    ],
)
def test_a_missing_summary_model_is_said_before_anything_is_heard(
    quiet: Path, tmp_path: Path, settings: object, chosen: str, sentence: str, code: int
) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, models=tmp_path / "nowhere", summary_model=chosen)
    with pytest.raises(CommandError, match=sentence) as failure:
        transcribe(quiet, "--summary")
    assert failure.value.returncode == code


@pytest.fixture
def tiny_summarizer(tmp_path_factory: pytest.TempPathFactory, settings: object) -> None:
    """The real class, with a model that knows nothing of meetings: so all of its summary is quoted."""
    folder = tiny_chat.build(tmp_path_factory.mktemp("tiny-chat"))
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, summary_model=str(folder))


@pytest.fixture
def short(speech: Path, tmp_path: Path) -> Path:
    """The beginning of the clip, which is enough to sum up."""
    path = tmp_path / "short.wav"
    beginning = next(decode_file(speech / f"{CLIP}.flac", block=round(SUMMED_UP_S * SAMPLE_RATE)))
    soundfile.write(path, beginning, SAMPLE_RATE)
    return path


@pytest.mark.usefixtures("tiny_summarizer", "whisper_base")
def test_a_summary_is_written_and_translated(short: Path) -> None:
    options = ("--language", "en", "--no-speakers", "--no-second-pass", "--translate", "pt", "--summary", "--format")
    document = json.loads(transcribe(short, *options, "json"))
    summary = document["summary"]
    assert (summary["type"], summary["language"], summary["seq"]) == ("summary", "pt", len(document["captions"]) + 1)
    cited = {segment for item in summary["items"] for segment in item["segments"]}
    assert cited <= {str(caption["seq"]) for caption in document["captions"]}
    translated = {word for caption in document["captions"] for word in caption["translations"]["pt"].split()}
    assert translated & set(summary["items"][0]["text"].split())
    assert summary["text"]
    assert set(document["stages"]) == {"audio", "asr", "translation", "summary"}


@pytest.mark.usefixtures("tiny_summarizer", "whisper_base")
def test_a_text_begins_with_the_summary(short: Path) -> None:
    output = transcribe(short, "--language", "en", "--no-speakers", "--summary")
    title, summary, captions = output.split("\n\n")
    assert title == short.name
    assert summary.startswith("Summary\nTopics:\n- ")
    assert captions.startswith("[0:00:")


@pytest.mark.usefixtures("whisper_base")
class TestDamage:
    """What could be heard is written, and standard error says what is not there."""

    @pytest.fixture
    def damaged(self, tmp_path: Path) -> Path:
        return recordings.damaged(recordings.record(tmp_path / "x.mp3", seconds=10, codec="libmp3lame"))

    def run(self, *arguments: object) -> tuple[str, str]:
        output, complaints = StringIO(), StringIO()
        call_command("transcribe", "--no-speakers", *map(str, arguments), stdout=output, stderr=complaints)
        return output.getvalue(), complaints.getvalue()

    def test_in_the_middle_is_no_failure(self, damaged: Path) -> None:
        output, complaints = self.run(damaged, "--format", "json")
        document = json.loads(output)
        assert document["missing_s"] == pytest.approx(0.5, rel=0.3)
        assert document["audio_s"] == pytest.approx(10, abs=0.2)
        said = f"{damaged} is damaged; {document['missing_s']:.1f} s of it could not be read. "
        assert complaints.startswith(f"{said}{damaged}: Nothing is captioned: no speech was found")
        assert document["nothing_heard"] == "no_speech"

    def test_a_decoder_that_ends_is_one_and_the_rest_is_written(
        self, quiet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = (
            "import os, numpy as np; from inference.media.protocol import *;"
            "header = Header('wav', 10.0, (Track(0, 'pcm', 16_000, 1),), 0);"
            "os.write(1, preamble() + encode(header) + encode(Samples(0, 0.0, np.zeros(32_000, np.float32))));"
            "os.abort()"
        )
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-B", "-c", script))
        with pytest.raises(CommandError, match=r"ended its decoder: SIGABRT; only the first 2\.0 s") as failure:
            self.run(quiet, "-o", tmp_path / "out.json")
        assert failure.value.returncode == 1
        document = json.loads((tmp_path / "out.json").read_text())
        assert (document["audio_s"], document["missing_s"]) == (2.0, 8.0)

    def test_one_bad_file_stops_no_other(self, damaged: Path, quiet: Path, tmp_path: Path) -> None:
        bomb, note = recordings.bomb(tmp_path / "bomb.wav"), tmp_path / "note.mp3"
        note.write_text("no sound in here")
        (tmp_path / "out").mkdir()
        output, complaints = StringIO(), StringIO()
        with pytest.raises(CommandError, match=r"^2 of 4 files could not be transcribed: ") as failure:
            call_command(
                "transcribe", "--no-speakers", *map(str, (bomb, note, damaged, quiet)), "-o", str(tmp_path / "out"),
                stdout=output, stderr=complaints,
            )  # fmt: skip
        assert failure.value.returncode == 2
        assert str(failure.value).endswith(f": {bomb}, {note}.")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["quiet.txt", "x.txt"]
        first, second, third, fourth = complaints.getvalue().splitlines()
        assert first == f"{bomb} has 1 samples a second; 4,000 to 384,000 can be read."
        assert second.startswith(f"{note} cannot be read as audio")
        assert third.startswith(f"{damaged} is damaged;")
        assert fourth.startswith(f"{quiet}: Nothing is captioned: there is only digital silence")


def test_the_longest_recording_is_a_setting(quiet: Path, settings: object) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, longest_media_s=1.0)
    with pytest.raises(CommandError, match="is longer than") as failure:
        transcribe(quiet)
    assert failure.value.returncode == 2


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "cannot be read as audio"), (b"hello, I am text\n", "cannot be read as audio")]
)
def test_what_is_no_recording_is_refused_before_models_load(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=sentence) as failure:
        transcribe(path)
    assert failure.value.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--language", "en", "--translate", "es"), r"^Spanish is not available with the starter models\.$"),
        (("--language", "es", "--translate", "en"), r"^Spanish is not available with the starter models\.$"),
        (("--translate", "pt,fr", "--format", "json"), r"^French is not available with the starter models\.$"),
        (("--language", "pt", "--translate", "pt"), "Portuguese is what is spoken; leave it out of --translate"),
        (("--translate", "pt,en", "--format", "vtt"), "A vtt file is in one language; use --format json"),
        (("--speakers", "0"), "--speakers is 0; use 1 to 20"),
        (("--summary", "--format", "srt"), "A srt file has no place for a summary"),
        (("--language", "klingon"), "'klingon' is no language code"),
        (("--language", "en,tlh"), "'tlh' is no language code"),
        (("--language", "es,fr", "--translate", "pt"), r"^Portuguese is not available with the starter models\.$"),
        (("-o", "/nowhere/out.txt"), "There is no folder /nowhere"),
    ],
)
def test_odd_options_are_refused_with_a_sentence_before_models_load(
    quiet: Path, arguments: tuple[str, ...], sentence: str, settings: object
) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, models=Path("/nowhere"))
    with pytest.raises(CommandError, match=sentence) as failure:
        transcribe(quiet, *arguments)
    assert failure.value.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--format", "odt"), "invalid choice: 'odt'"),
        (("--format", "docx"), r"^A docx file needs a name: give -o\.$"),
        (("--speakers", "2", "--no-speakers"), "not allowed with argument"),
    ],
)
def test_what_the_parser_refuses_has_a_sentence_too(quiet: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        transcribe(quiet, *arguments)
