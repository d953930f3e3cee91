"""The real Whisper base on real speech."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inference.asr import DecodeRequest, Kind
from inference.audio import SAMPLE_RATE, decode_file
from inference.guards import rejection
from inference.whisper import CTranslate2Transcriber

STAGES = ("features", "encode", "detect", "decode", "align")
SENTENCE = "when is a lobster not a lobster when it is a crayfish"


@pytest.fixture(scope="module")
def transcriber(whisper_base: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(whisper_base)


@pytest.fixture(scope="module")
def reading(speech: Path) -> np.ndarray:
    return np.concatenate(list(decode_file(speech / "lobster_24s.flac")))


@pytest.fixture(scope="module")
def sentence(reading: np.ndarray) -> DecodeRequest:
    audio = reading[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return DecodeRequest(kind="final", start=0, audio=audio, language="en")


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("kind", ["live", "final", "careful"])
def test_speech_is_written_down(transcriber: CTranslate2Transcriber, sentence: DecodeRequest, kind: Kind) -> None:
    (heard,) = transcriber.transcribe([replace(sentence, kind=kind)])
    assert plain(heard.text) == SENTENCE
    assert (heard.language, heard.language_probability) == ("en", 1.0)
    assert rejection(heard, speech_s=3.0) is None


def test_words_have_times_in_order_and_their_tokens(
    transcriber: CTranslate2Transcriber, sentence: DecodeRequest
) -> None:
    (heard,) = transcriber.transcribe([sentence])
    assert [plain(word.spelling) for word in heard.words] == SENTENCE.split()
    assert all(before.start <= before.end <= after.start for before, after in pairwise(heard.words))
    assert all(0.0 < word.probability <= 1.0 for word in heard.words)
    assert heard.words[-1].end == pytest.approx(4.06, abs=0.15)
    assert "".join(word.spelling for word in heard.words).strip() == heard.text


def test_a_forced_prefix_is_kept_and_continued(transcriber: CTranslate2Transcriber, sentence: DecodeRequest) -> None:
    live = replace(sentence, kind="live")
    (whole,) = transcriber.transcribe([live])
    prefix = tuple(token for word in whole.words[:4] for token in word.tokens)
    (forced,) = transcriber.transcribe([replace(live, prefix=prefix)])
    assert plain(forced.text) == SENTENCE
    assert [word.tokens for word in forced.words[:4]] == [word.tokens for word in whole.words[:4]]


def test_answers_come_in_the_order_of_the_requests(
    transcriber: CTranslate2Transcriber, sentence: DecodeRequest
) -> None:
    half = replace(sentence, audio=sentence.audio[: round(2.6 * SAMPLE_RATE)])
    requests = [half, sentence, replace(half, kind="live"), sentence]
    together = [heard.words for heard in transcriber.transcribe(requests)]
    assert together == [transcriber.transcribe([request])[0].words for request in requests]
    assert plain(transcriber.transcribe([half])[0].text).startswith("when is a lobster")


def test_silence_is_rejected_or_empty(transcriber: CTranslate2Transcriber) -> None:
    silence = DecodeRequest(kind="final", start=0, audio=np.zeros(2 * SAMPLE_RATE, np.float32), language="en")
    (heard,) = transcriber.transcribe([silence])
    assert rejection(heard, speech_s=0.0) is not None


def test_language_is_detected_among_those_allowed(transcriber: CTranslate2Transcriber, sentence: DecodeRequest) -> None:
    (free, held) = transcriber.transcribe(
        [replace(sentence, language=None), replace(sentence, language=None, start=1, allowed=("pt",))]
    )
    assert free.language == "en"
    assert free.language_probability > 0.8
    assert held.language == "pt"


def test_a_final_tells_what_a_given_language_sounds_like(
    transcriber: CTranslate2Transcriber, sentence: DecodeRequest, speech: Path
) -> None:
    portuguese = np.concatenate(list(decode_file(speech / "portuguese" / "ufpalign_falabrasil.flac")))
    said = [sentence, replace(sentence, start=1, audio=portuguese), replace(sentence, start=2, language="pt")]
    detected = [heard.detected for heard in transcriber.transcribe(said)]
    assert [language for language, _ in detected] == ["en", "pt", "en"]
    assert all(probability > 0.9 for _, probability in detected)


def test_only_a_final_of_two_seconds_or_more_in_a_given_language_is_asked_what_it_sounds_like(
    transcriber: CTranslate2Transcriber, sentence: DecodeRequest
) -> None:
    short = sentence.audio[: 2 * SAMPLE_RATE - 1]
    others = [replace(sentence, kind="live"), replace(sentence, audio=short), replace(sentence, language=None)]
    assert [heard.detected for heard in transcriber.transcribe(others)] == [None, None, None]


def test_vocabulary_settles_a_word(transcriber: CTranslate2Transcriber, reading: np.ndarray) -> None:
    said = DecodeRequest(kind="final", start=0, audio=reading[round(14.9 * SAMPLE_RATE) :], language="en")
    (without,) = transcriber.transcribe([said])
    (heard,) = transcriber.transcribe([replace(said, vocabulary=("eunuch",))])
    assert "eunuch" not in without.text
    assert "eunuch" in heard.text


def test_stages_are_timed(transcriber: CTranslate2Transcriber, sentence: DecodeRequest) -> None:
    before = replace(transcriber.stages)
    transcriber.transcribe([sentence])
    after = transcriber.stages
    assert after.audio - before.audio == pytest.approx(len(sentence.audio) / SAMPLE_RATE)
    assert all(getattr(after, stage) > getattr(before, stage) for stage in STAGES)
