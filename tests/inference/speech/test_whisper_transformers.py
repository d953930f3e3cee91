"""The same weights through transformers as through CTranslate2, which the expectations come from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.loading import ModelMissing
from inference.models.loading.component import Form
from inference.models.loading.snapshot import write_snapshot
from inference.speech.asr import DecodeRequest, Hypothesis
from inference.speech.whisper import CTranslate2Transcriber
from inference.speech.whisper_transformers import TransformersTranscriber, encode
from inference.speech.whisper_weights import whisper_component
from tests.hearing import SENTENCE, is_heard

pytestmark = pytest.mark.xdist_group("whisper_transformers")


@pytest.fixture(scope="module")
def folder(whisper_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, in which a snapshot of the tests' own can lie."""
    target = tmp_path_factory.mktemp("whisper")
    for path in whisper_base.iterdir():
        if path.is_file():
            (target / path.name).symlink_to(path)
    return target


@pytest.fixture(scope="module")
def transcriber(folder: Path) -> TransformersTranscriber:
    return TransformersTranscriber(folder, strategies=["mapped"])


@pytest.fixture(scope="module")
def reference(whisper_base: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(whisper_base, compute_type="float32")


@pytest.fixture(scope="module")
def sentence(speech: Path) -> DecodeRequest:
    reading = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))
    audio = reading[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return DecodeRequest(kind="live", start=0, audio=audio, language="en")


@pytest.fixture(scope="module")
def whole(transcriber: TransformersTranscriber, sentence: DecodeRequest) -> Hypothesis:
    """The sentence alone."""
    return transcriber.transcribe([sentence])[0]


@pytest.fixture(scope="module")
def written(folder: Path, transcriber: TransformersTranscriber) -> Path:
    """The snapshot, where the product looks for it."""
    return write_snapshot(whisper_component(folder), Form(), transcriber.network)


@pytest.fixture(scope="module")
def published(written: Path, tmp_path_factory: pytest.TempPathFactory) -> TransformersTranscriber:
    """From the snapshot as a folder of the hub, whose publisher decodes oddly."""
    hub = shutil.copytree(written, tmp_path_factory.mktemp("published") / "hub")
    settings = hub / "generation_config.json"
    oddly = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps(oddly | {"repetition_penalty": 9.0, "temperature": 5.0, "do_sample": True}))
    return TransformersTranscriber(hub, strategies=["mapped"])


def assert_alike(heard: Hypothesis, expected: Hypothesis) -> None:
    """But for the rounding of the arithmetic, which may move a word's edge by a position or two of the encoder."""
    assert [word.tokens for word in heard.words] == [word.tokens for word in expected.words]
    assert heard.language == expected.language
    times = [(word.start, word.end) for word in heard.words]
    assert times == [pytest.approx((word.start, word.end), abs=0.05) for word in expected.words]
    assert [word.probability for word in heard.words] == pytest.approx(
        [word.probability for word in expected.words], abs=0.01
    )
    assert heard.mean_log_probability == pytest.approx(expected.mean_log_probability, abs=0.005)
    assert heard.language_probability == pytest.approx(expected.language_probability, abs=0.01)


def test_texts_times_and_certainties_are_those_of_ctranslate2(
    transcriber: TransformersTranscriber,
    reference: CTranslate2Transcriber,
    sentence: DecodeRequest,
    whole: Hypothesis,
) -> None:
    free = replace(sentence, start=1, language=None)
    for request, heard in ((sentence, whole), (free, transcriber.transcribe([free])[0])):
        (expected,) = reference.transcribe([request])
        assert_alike(heard, expected)
        assert heard.no_speech == pytest.approx(expected.no_speech, abs=1e-3)
    assert is_heard(SENTENCE, whole.text)


def test_words_to_expect_are_heeded(
    transcriber: TransformersTranscriber, sentence: DecodeRequest, whole: Hypothesis
) -> None:
    (biased,) = transcriber.transcribe([replace(sentence, vocabulary=("CRAYFISH", "LOBSTER"))])
    assert biased.mean_log_probability != whole.mean_log_probability
    assert biased.text.lower() == whole.text.lower()


def test_the_whole_window_is_encoded_as_by_transformers_itself(transcriber: TransformersTranscriber) -> None:
    noise = torch.randn((1, 80, 3_000), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = transcriber.network.get_encoder()(noise).last_hidden_state
        torch.testing.assert_close(encode(transcriber.network, noise), expected)


@pytest.mark.long
@pytest.mark.usefixtures("written")
def test_a_snapshot_is_the_same_network_in_the_hubs_layout(
    folder: Path,
    transcriber: TransformersTranscriber,
    published: TransformersTranscriber,
    sentence: DecodeRequest,
    whole: Hypothesis,
) -> None:
    snapshot = TransformersTranscriber(folder)
    assert snapshot.loaded.strategy == "snapshot"
    assert_alike(snapshot.transcribe([sentence])[0], whole)
    for (name, tensor), (other, same) in zip(
        published.network.state_dict().items(), transcriber.network.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(tensor, same)


def test_nothing_is_taken_over_from_how_the_publisher_decodes(
    published: TransformersTranscriber, sentence: DecodeRequest, whole: Hypothesis
) -> None:
    assert_alike(published.transcribe([sentence])[0], whole)


def test_a_folder_without_tokenizer_or_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"has no tokenizer\.json"):
        TransformersTranscriber(tmp_path)
    (tmp_path / "tokenizer.json").symlink_to(folder / "tokenizer.json")
    with pytest.raises(ModelMissing, match="has neither safetensors nor"):
        TransformersTranscriber(tmp_path)
