"""OpenAI's own Python client against the running product: formats, streams, translations, models, jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import srt
import webvtt

from tests.live import RunningParlance

if TYPE_CHECKING:
    from openai import OpenAI  # two seconds, of every process that collects tests

pytestmark = pytest.mark.xdist_group("processes")

NEW_TOKEN = """
from django.contrib.auth.models import User
from meetings.accounts.api_tokens import create_token
print(create_token(User.objects.create_user("program"), "client"))
"""
SAID = "teste"
IN_ENGLISH = "test"
MODEL = "whisper-1"


@pytest.fixture(scope="module")
def client(parlance: RunningParlance) -> Iterator[OpenAI]:
    from openai import OpenAI

    token = parlance.manage("shell", "--verbosity", "0", "-c", NEW_TOKEN).strip()
    with OpenAI(api_key=token, base_url=f"{parlance.url}/v1", timeout=240, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def recording(speech: Path) -> Path:
    return speech / "portuguese" / "ufpalign_falabrasil.flac"


def test_the_models_are_listed_and_found(client: OpenAI) -> None:
    import openai

    listed = client.models.list().data
    assert [model.id for model in listed] == ["whisper-base", MODEL]
    assert client.models.retrieve(MODEL) == listed[1]
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-4o")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")


def test_each_format_is_what_the_client_makes_of_it(client: OpenAI, recording: Path) -> None:
    from openai.types.audio import TranscriptionDiarized

    create = client.audio.transcriptions.create
    assert SAID in create(file=recording, model=MODEL, language="pt").text
    assert SAID in create(file=recording, model=MODEL, language="pt", response_format="text")
    cues = list(srt.parse(create(file=recording, model=MODEL, language="pt", response_format="srt")))
    assert SAID in " ".join(cue.content for cue in cues)
    cues = webvtt.from_string(create(file=recording, model=MODEL, language="pt", response_format="vtt"))
    assert SAID in " ".join(cue.text for cue in cues)
    turns = create(file=recording, model=MODEL, language="pt", response_format="diarized_json")
    assert SAID in TranscriptionDiarized.model_validate(turns.model_dump(), strict=True).text


def test_the_long_form_has_every_field(client: OpenAI, recording: Path) -> None:
    from openai.types.audio import TranscriptionVerbose

    found = client.audio.transcriptions.create(
        file=recording, model=MODEL, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    checked = TranscriptionVerbose.model_validate(found.model_dump(), strict=True)
    assert (checked.language, SAID in checked.text) == ("portuguese", True)
    assert checked.words
    assert checked.segments
    assert checked.usage is not None
    assert checked.usage.seconds == pytest.approx(checked.duration, abs=1)
    for segment in checked.segments:
        assert 0 <= segment.start < segment.end <= checked.duration + 0.1
        assert segment.tokens
        assert -1 < segment.avg_logprob < 0
        assert 0.3 < segment.compression_ratio < 2.4
        assert (segment.temperature, segment.no_speech_prob) == (0.0, 0.0)
    assert [word.start for word in checked.words] == sorted(word.start for word in checked.words)


def test_the_text_is_streamed(client: OpenAI, recording: Path) -> None:
    events = list(client.audio.transcriptions.create(file=recording, model=MODEL, language="pt", stream=True))
    *deltas, done = events
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text
    assert SAID in done.text


def test_it_is_translated_into_english(client: OpenAI, recording: Path) -> None:
    from openai.types.audio import TranslationVerbose

    found = client.audio.translations.create(file=recording, model=MODEL, response_format="verbose_json")
    checked = TranslationVerbose.model_validate(found.model_dump(), strict=True)
    assert (checked.language, IN_ENGLISH in checked.text, SAID in checked.text) == ("english", True, False)
    assert checked.segments


def test_errors_are_the_clients_own(client: OpenAI, recording: Path) -> None:
    import openai

    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(file=("page.mp3", b"<html></html>" * 1_000), model=MODEL)
    assert (refused.value.code, refused.value.param) == ("unreadable_file", "file")
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(file=recording, model=MODEL, extra_body={"vad": "off"})
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", "vad")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-none").models.list()


def test_a_result_is_fetched_later(client: OpenAI, recording: Path) -> None:
    begun = client.audio.transcriptions.with_raw_response.create(
        file=recording, model=MODEL, language="pt", prompt="later", extra_headers={"Prefer": "respond-async"}
    )
    assert begun.status_code == 202
    program = httpx.Client(headers={"Authorization": f"Bearer {client.api_key}"}, timeout=30)
    address = str(client.base_url.copy_with(path=begun.headers["Location"]))
    until = time.monotonic() + 240
    while (answer := program.get(address)).status_code == 202:
        assert time.monotonic() < until
        assert answer.json()["status"] in ("queued", "in_progress")
        time.sleep(0.5)
    assert SAID in answer.json()["text"]
    assert program.delete(address).status_code == 204
    assert program.get(address).status_code == 404
