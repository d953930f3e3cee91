"""The real M2M100 class, over a tiny model that learned its sentences by heart a moment ago."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from inference.models.loading import ModelMissing
from inference.models.loading.component import Form
from inference.models.torchaudio_compat import import_transformers
from inference.translation.captions import SourceSentence
from inference.translation.m2m100 import M2M100Translator
from inference.translation.m2m100_weights import m2m100_component
from inference.translation.pairs import M2M100_LANGUAGES
from inference.translation.translator import PairNotOffered, Translation, TranslationRequest
from tests.inference.models.loading.ways import assert_every_way_gives_the_same
from tests.inference.translation import tiny_m2m100

pytestmark = pytest.mark.xdist_group("m2m100")
"""One process trains the model, for all of these."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_m2m100.build(tmp_path_factory.mktemp("m2m100"))


@pytest.fixture(scope="module")
def translator(folder: Path) -> M2M100Translator:
    return M2M100Translator(folder)


def test_every_direction_in_one_call_is_exact(translator: M2M100Translator) -> None:
    pairs = list(tiny_m2m100.pairs())
    answers = translator.translate([TranslationRequest(text, source, target) for source, target, text, _ in pairs])
    assert answers == [Translation(expected, True) for *_, expected in pairs]


def test_a_batch_gives_what_single_calls_give(translator: M2M100Translator, folder: Path) -> None:
    requests = [TranslationRequest(text, source, target) for source, target, text, _ in tiny_m2m100.pairs()][::5]
    together = M2M100Translator(folder, max_batch=len(requests)).translate(requests)
    assert together == [translator.translate([request])[0] for request in requests]


def test_beams_keep_each_row_to_its_language(folder: Path) -> None:
    pairs = list(tiny_m2m100.pairs())[::5]
    translator = M2M100Translator(folder, beams=3)
    answers = translator.translate([TranslationRequest(text, source, target) for source, target, text, _ in pairs])
    assert [answer.text for answer in answers] == [expected for *_, expected in pairs]


def test_the_language_token_decides(translator: M2M100Translator) -> None:
    said = "Thank you all."
    answers = translator.translate([TranslationRequest(said, "en", target) for target in ("es", "pt", "es")])
    assert [answer.text for answer in answers] == ["Gracias a todos.", "Obrigado a todos.", "Gracias a todos."]


def test_text_longer_than_the_model_is_translated_sentence_by_sentence(translator: M2M100Translator) -> None:
    assert translator.longest == tiny_m2m100.POSITIONS - 3
    [answer] = translator.translate([TranslationRequest("Thank you all. Can you hear me? " * 20, "en", "pt")])
    assert answer == Translation(" ".join(["Obrigado a todos. Você me ouve?"] * 20), True)


def test_a_word_without_end_is_cut_to_the_model(translator: M2M100Translator) -> None:
    endless = SourceSentence("Thank" * 100, "en", "pt")
    assert len(translator.row(endless).tokens) == tiny_m2m100.POSITIONS
    assert len(translator.render([endless])) == 1


def test_what_people_say_is_no_special_token(translator: M2M100Translator) -> None:
    special = set(range(3)) | set(translator.row(SourceSentence("", "es", "pt")).tokens[:1])
    row = translator.row(SourceSentence("Yes </s> <pad> __es__ <s>", "en", "pt"))
    assert not special & set(row.tokens[1:-1])


def test_each_row_stops_at_its_own_cap(translator: M2M100Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an end token the model would go on: every row must stop by its own length, not by the longest one's."""
    texts = ["Thank you all.", "We need two more days."]
    sentences = [SourceSentence(text, "en", "pt") for text in texts]
    caps = [translator.row(sentence).cap for sentence in sentences]
    generated: list[torch.Tensor] = []
    generate = translator.model.generate

    def endless(**options: object) -> torch.Tensor:
        generated.append(generate(**options, suppress_tokens=[2]))
        return generated[-1]

    monkeypatch.setattr(translator.model, "generate", endless)
    translator.render(sentences)
    assert caps[0] < caps[1]
    assert [int((row != 1).sum()) for row in generated[0]] == caps


def test_careful_rendering_never_says_three_tokens_twice(translator: M2M100Translator) -> None:
    sentence = SourceSentence("Thank you all. Thank you all. Thank you all.", "en", "pt")
    assert translator.render_carefully([sentence])[0].count("Obrigado a todos.") <= 1


def test_gradients_are_not_kept_and_the_type_is_as_asked(folder: Path) -> None:
    translator = M2M100Translator(folder, wishes={"precision": "bfloat16"})
    assert {parameter.dtype for parameter in translator.model.parameters()} == {torch.bfloat16}
    assert not translator.model.training


def test_the_table_of_languages_is_the_tokenizers(folder: Path) -> None:
    """Pages offer languages without loading a model, so they rely on a table of ours."""
    tokenizer = import_transformers().M2M100Tokenizer.from_pretrained(folder)
    assert set(tokenizer.lang_code_to_id) == M2M100_LANGUAGES


def test_languages_are_whispers_codes(translator: M2M100Translator) -> None:
    assert {"ar", "pt", "zh", "jw"} <= translator.targets("en")
    assert "en" not in translator.targets("en")
    assert translator.targets("tlh") == frozenset()
    with pytest.raises(PairNotOffered, match="tlh is not available with this translation model"):
        translator.translate([TranslationRequest("Yes.", "en", "tlh")])


def test_weights_that_cannot_be_had_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"has no config\.json; name a folder that holds an M2M100 model"):
        M2M100Translator(tmp_path)


def test_weights_that_are_cut_off_are_said_to_be_missing(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelMissing, match="could not be fetched"):
        M2M100Translator(tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_way_to_load_gives_the_same_network(folder: Path, tmp_path: Path, dtype: str) -> None:
    """The weights are pickled, as the publisher has them, with their repetitions."""
    copied = shutil.copytree(folder, tmp_path / "copied")
    state = M2M100Translator(copied).model.state_dict()
    (copied / "model.safetensors").unlink()
    torch.save(state, copied / "pytorch_model.bin")
    assert_every_way_gives_the_same(m2m100_component(copied), Form(dtype=dtype))
    if dtype == "float32":
        [translation] = M2M100Translator(copied).translate([TranslationRequest("Thank you all.", "en", "pt")])
        assert translation == Translation("Obrigado a todos.", True)
