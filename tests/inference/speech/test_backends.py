"""What every library that runs Whisper must do: the real Whisper base through each of them, on real speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.device import CPU, Device
from inference.models.loading import ModelCorrupt, ModelMissing
from inference.speech.asr import DecodedWord, DecodeKind, DecodeRequest, Hypothesis
from inference.speech.backends import Backend, Recognizer, load_recognizer, speech_bytes, speech_folder
from inference.speech.hallucination_filters import rejection
from tests.hearing import MOST_ERRORS, SENTENCE, is_heard, plain, word_error_rate

pytestmark = pytest.mark.xdist_group("recognition")

STAGES = ("features", "encode", "detect", "decode", "align")
ERRORS_APART = 0.15
"""Of the words of a clip of 24 s."""
MOST_ALIKE = 0.75
"""Of the same words: what both libraries must hear alike."""
WORDS_APART_S = 0.1

Alone = Callable[[Recognizer, DecodeRequest], Hypothesis]


@pytest.fixture(scope="module")
def recognizers(whisper_base: Path) -> dict[Backend, Recognizer]:
    """Loaded once, for whoever compares them."""
    return {backend: load_recognizer(whisper_base, backend) for backend in get_args(Backend)}


@pytest.fixture(params=get_args(Backend))
def recognizer(request: pytest.FixtureRequest, recognizers: dict[Backend, Recognizer]) -> Recognizer:
    return recognizers[request.param]


@pytest.fixture(scope="module")
def reading(speech: Path) -> np.ndarray:
    return np.concatenate(list(decode_file(speech / "lobster_24s.flac")))


@pytest.fixture(scope="module")
def sentence(reading: np.ndarray) -> DecodeRequest:
    audio = reading[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return DecodeRequest(kind="final", start=0, audio=audio, language="en")


@pytest.fixture(scope="module")
def alone() -> Alone:
    """What a recogniser hears in a request that comes alone; each is decoded once."""
    known: dict[tuple[object, ...], Hypothesis] = {}

    def hear(recognizer: Recognizer, request: DecodeRequest) -> Hypothesis:
        key = (id(recognizer), request.kind, request.language, request.audio.tobytes())
        if key not in known:
            [known[key]] = recognizer.transcribe([request])
        return known[key]

    return hear


@pytest.mark.parametrize("kind", ["live", "final", "careful"])
def test_speech_is_written_down(
    recognizer: Recognizer, alone: Alone, sentence: DecodeRequest, kind: DecodeKind
) -> None:
    heard = alone(recognizer, replace(sentence, kind=kind))
    assert is_heard(SENTENCE, heard.text)
    assert (heard.language, heard.language_probability) == ("en", 1.0)
    assert rejection(heard, speech_s=3.0) is None


def test_words_have_times_in_order_and_their_tokens(
    recognizer: Recognizer, alone: Alone, sentence: DecodeRequest
) -> None:
    heard = alone(recognizer, sentence)
    assert [plain(word.spelling) for word in heard.words] == plain(heard.text).split()
    assert all(before.start <= before.end <= after.start for before, after in pairwise(heard.words))
    assert all(0.0 < word.probability <= 1.0 for word in heard.words)
    assert heard.words[-1].end == pytest.approx(4.06, abs=0.15)
    assert "".join(word.spelling for word in heard.words).strip() == heard.text


def test_answers_come_in_the_order_of_the_requests(
    recognizer: Recognizer, alone: Alone, sentence: DecodeRequest
) -> None:
    half = replace(sentence, audio=sentence.audio[: round(2.6 * SAMPLE_RATE)])
    requests = [half, sentence, replace(half, kind="live"), sentence]
    together = [heard.text for heard in recognizer.transcribe(requests)]
    assert together == [alone(recognizer, request).text for request in requests]
    assert is_heard("when is a lobster not a lobster", together[0])


def test_silence_is_rejected_or_empty(recognizer: Recognizer) -> None:
    silence = DecodeRequest(kind="final", start=0, audio=np.zeros(2 * SAMPLE_RATE, np.float32), language="en")
    (heard,) = recognizer.transcribe([silence])
    assert rejection(heard, speech_s=0.0) is not None


def test_language_is_detected_among_those_allowed(recognizer: Recognizer, sentence: DecodeRequest) -> None:
    (free, held) = recognizer.transcribe(
        [replace(sentence, language=None), replace(sentence, language=None, start=1, allowed=("pt",))]
    )
    assert free.language == "en"
    assert free.language_probability > 0.8
    assert held.language == "pt"


def test_a_final_tells_what_a_given_language_sounds_like(
    recognizer: Recognizer, sentence: DecodeRequest, speech: Path
) -> None:
    portuguese = np.concatenate(list(decode_file(speech / "portuguese" / "ufpalign_falabrasil.flac")))
    said = [sentence, replace(sentence, start=1, audio=portuguese), replace(sentence, start=2, language="pt")]
    detected = [heard.detected for heard in recognizer.transcribe(said)]
    assert [language for language, _ in detected] == ["en", "pt", "en"]
    assert all(probability > 0.9 for _, probability in detected)


def test_only_a_final_of_two_seconds_or_more_in_a_given_language_is_asked_what_it_sounds_like(
    recognizer: Recognizer, sentence: DecodeRequest
) -> None:
    short = sentence.audio[: 2 * SAMPLE_RATE - 1]
    others = [replace(sentence, kind="live"), replace(sentence, audio=short), replace(sentence, language=None)]
    assert [heard.detected for heard in recognizer.transcribe(others)] == [None, None, None]


def test_stages_are_timed(recognizer: Recognizer, sentence: DecodeRequest) -> None:
    before = replace(recognizer.stages)
    recognizer.transcribe([sentence])
    after = recognizer.stages
    assert after.audio - before.audio == pytest.approx(len(sentence.audio) / SAMPLE_RATE)
    assert all(getattr(after, stage) > getattr(before, stage) for stage in STAGES)


def test_the_backends_agree_on_words_and_times(
    recognizers: dict[Backend, Recognizer], reading: np.ndarray, speech: Path
) -> None:
    """Not on every word: CTranslate2 rounds to 8 bits on a CPU and searches with beams."""
    request = DecodeRequest(kind="final", start=0, audio=reading, language="en")
    heard = {backend: recognizer.transcribe([request])[0] for backend, recognizer in recognizers.items()}
    said = (speech / "lobster_24s.txt").read_text(encoding="utf-8")
    errors = [word_error_rate(said, hypothesis.text) for hypothesis in heard.values()]
    assert max(errors) <= MOST_ERRORS
    assert errors[0] == pytest.approx(errors[1], abs=ERRORS_APART)
    pairs = alike(heard["ctranslate2"].words, heard["transformers"].words)
    assert len(pairs) >= MOST_ALIKE * len(said.split())
    apart = [abs(getattr(one, edge) - getattr(other, edge)) for one, other in pairs for edge in ("start", "end")]
    assert np.quantile(apart, 0.9) <= WORDS_APART_S
    assert max(apart) <= 5 * WORDS_APART_S


def alike(ours: Sequence[DecodedWord], theirs: Sequence[DecodedWord]) -> list[tuple[DecodedWord, DecodedWord]]:
    """The words that both have, in their order."""
    spellings = [[plain(word.spelling) for word in words] for words in (ours, theirs)]
    blocks = SequenceMatcher(None, *spellings, autojunk=False).get_matching_blocks()
    return [(ours[block.a + step], theirs[block.b + step]) for block in blocks for step in range(block.size)]


def test_weights_are_planned_as_large_as_they_become(
    recognizers: dict[Backend, Recognizer], whisper_base: Path
) -> None:
    network = recognizers["transformers"].network  # type: ignore[attr-defined]
    weights = sum(tensor.nbytes for tensor in network.parameters())
    assert speech_bytes(whisper_base, "transformers", CPU, {}) == pytest.approx(weights, rel=0.001)
    assert speech_bytes(whisper_base, "transformers", Device("cuda"), {}) == pytest.approx(weights / 2, rel=0.001)
    assert speech_bytes(whisper_base, "ctranslate2", CPU, {}) == (whisper_base / "model.bin").stat().st_size


def test_a_folder_is_one_that_the_backend_can_read(whisper_base: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).touch()
    assert speech_folder(str(tmp_path), tmp_path, "transformers") == tmp_path
    with pytest.raises(ModelMissing, match="set PARLANCE_ASR_BACKEND=transformers, or name a folder"):
        speech_folder(str(tmp_path), tmp_path, "ctranslate2")
    with pytest.raises(ModelCorrupt):
        speech_bytes(tmp_path, "transformers", CPU, {})
    for backend in get_args(Backend):
        assert speech_folder("whisper-base", whisper_base.parent, backend) == whisper_base
        with pytest.raises(ModelMissing, match=r"models fetch whisper-base"):
            speech_folder("whisper-base", tmp_path, backend)
