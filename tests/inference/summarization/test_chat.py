from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from inference.models.loading import ModelMissing
from inference.models.loading.component import Form
from inference.models.residency.resident import WeightsDamaged
from inference.models.residency.sizes import planned_bytes
from inference.models.residency.torch_module import TorchResident
from inference.models.torchaudio_compat import import_transformers
from inference.summarization import chat_weights
from inference.summarization.chat import Answer, ChatModel, Speed
from inference.summarization.chat_weights import QuantizationMissing, RowsDoNotFit, chat_component, gguf_of
from inference.summarization.loader import chat_model_source, load_summarizer
from inference.summarization.summarizer import ChatSummarizer
from tests.inference.models.loading.ways import assert_every_way_gives_the_same
from tests.inference.summarization import tiny_chat
from tests.inference.summarization.talk import BUDGET
from tests.inference.summarization.tiny_chat import ENDLESS, LESSONS, chat

ANSWERS = [Answer(answer, is_complete=True) for _, answer in LESSONS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chat.build(tmp_path_factory.mktemp("tiny-chat"))


@pytest.fixture(scope="module")
def model(folder: Path) -> ChatModel:
    return ChatModel(folder)


def test_it_answers_greedily_whatever_the_publisher_set(model: ChatModel) -> None:
    assert [model.answer([chat(question)], most_tokens=20)[0] for question, _ in LESSONS] == ANSWERS


def test_chats_of_different_length_are_answered_together(model: ChatModel) -> None:
    assert model.answer([chat(question) for question, _ in LESSONS], most_tokens=20) == ANSWERS


def test_an_answer_is_bounded_and_says_that_it_is_not_complete(model: ChatModel) -> None:
    assert model.answer([chat(ENDLESS)], most_tokens=5) == [Answer("more and more", is_complete=False)]


def test_a_batch_ends_when_the_caller_says_so(model: ChatModel) -> None:
    asked: list[int] = []

    def is_done() -> bool:
        asked.append(1)
        return len(asked) == 3

    assert model.answer([chat(ENDLESS)], most_tokens=30, is_done=is_done) == [Answer("more", is_complete=False)]
    assert len(asked) == 3


def test_no_chats_are_no_answers(model: ChatModel) -> None:
    assert model.answer([], most_tokens=5) == []


def test_it_learns_its_speed(folder: Path) -> None:
    fresh = ChatModel(folder)
    assert fresh.speed is None
    fresh.answer([chat(ENDLESS)], most_tokens=5)
    assert fresh.speed is not None
    assert min(fresh.speed.prompt_token_s, fresh.speed.step_s) > 0.0
    assert Speed(0.5, 2.0).expected_s(10, 3) == 11.0


def test_it_counts_tokens_without_padding(model: ChatModel) -> None:
    one, two = ([chat(question)] for question, _ in LESSONS)
    assert model.count_tokens([*one, *two]) == model.count_tokens(one) + model.count_tokens(two)


def test_nothing_of_it_remembers_gradients(model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[bool] = []
    forward = model.network.forward

    def watched(*arguments: object, **named: object) -> object:
        modes.append(torch.is_inference_mode_enabled())
        return forward(*arguments, **named)

    monkeypatch.setattr(model.network, "forward", watched)
    model.answer([chat(ENDLESS)], most_tokens=3)
    assert set(modes) == {True}


def test_precision_is_explicit(folder: Path, model: ChatModel) -> None:
    assert {weight.dtype for weight in model.network.parameters()} == {torch.float32}
    assert {weight.dtype for weight in ChatModel(folder, dtype="bfloat16").network.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_way_to_load_gives_the_same_network(folder: Path, tmp_path: Path, dtype: str) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    assert_every_way_gives_the_same(chat_component(copied), Form(dtype=dtype))
    if dtype == "float32":
        model = ChatModel(copied)
        assert [model.answer([chat(question)], most_tokens=20)[0] for question, _ in LESSONS] == ANSWERS


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="holds no chat model"):
        ChatModel(tmp_path)
    with pytest.raises(ModelMissing, match="holds no chat model"):
        ChatModel(tmp_path / "model.gguf")


def test_a_folder_without_its_weights_is_said(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelMissing, match="name a folder that holds a chat model"):
        ChatModel(broken)


def test_fewer_bits_need_their_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_weights, "can_quantize", lambda: False)
    with pytest.raises(QuantizationMissing, match="in 4 bits needs the package bitsandbytes"):
        ChatModel(folder, bits=4)


def test_a_gguf_counts_only_where_there_is_no_other_model(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "some.gguf").touch()
    assert gguf_of(tmp_path) == gguf_of(tmp_path / "some.gguf") == tmp_path / "some.gguf"
    (tmp_path / "config.json").touch()
    assert gguf_of(tmp_path) is None
    assert gguf_of(folder) is None


def test_a_model_is_named_by_catalogue_folder_or_hub(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"models fetch qwen2\.5-coder-0\.5b"):
        chat_model_source("qwen2.5-coder-0.5b", tmp_path)
    with pytest.raises(ModelMissing, match="There is no folder"):
        chat_model_source("/no/such/folder", tmp_path)
    assert chat_model_source(str(folder), tmp_path) == folder
    assert chat_model_source("Qwen/Qwen2.5-7B-Instruct", tmp_path) == "Qwen/Qwen2.5-7B-Instruct"


def test_a_summary_with_a_real_model_that_knows_nothing_quotes(folder: Path, tmp_path: Path) -> None:
    summarizer = load_summarizer(str(folder), tmp_path)
    summary = summarizer.summarize(BUDGET, within_s=60.0)
    assert summary.items[0].text.partition(": ")[2] in {line.text for line in BUDGET.lines}
    assert summarizer.expected_s(BUDGET) > 0.0


def test_a_warm_up_tells_damaged_weights(folder: Path, tmp_path: Path) -> None:
    resident = TorchResident(lambda: load_summarizer(str(folder), tmp_path), warm_up=ChatSummarizer.warm_up)
    resident.load()
    resident.warm_up()
    resident.warm_up()
    assert resident.model.model.speed is None
    with torch.inference_mode():
        for weights in resident.model.model.network.parameters():
            weights.neg_()
    with pytest.raises(WeightsDamaged, match="The warm-up run gave"):
        resident.warm_up()


@pytest.mark.parametrize("bits", [8, 4])
def test_in_fewer_bits_it_says_the_same_before_and_after_it_was_away(
    folder: Path, tmp_path: Path, bits: chat_weights.Bits
) -> None:
    """With the real bitsandbytes, which computes on CPUs too."""
    resident = TorchResident(lambda: ChatModel(folder, bits=bits), folder=tmp_path)
    resident.load()
    resident.keep_copy()
    resident.wake()
    before = resident.model.answer([chat(LESSONS[0][0])], most_tokens=8)
    assert before == ChatModel(folder).answer([chat(LESSONS[0][0])], most_tokens=8)
    resident.sleep()
    assert {weight.numel() for weight in resident.model.network.parameters()} == {0}
    resident.wake()
    assert resident.model.answer([chat(LESSONS[0][0])], most_tokens=8) == before
    full = TorchResident(lambda: ChatModel(folder), folder=tmp_path)
    full.load()
    assert resident.weights is not None
    assert full.weights is not None
    assert resident.weights < full.weights


def test_on_every_cpu_weights_in_four_bits_stay_as_they_were_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor with AVX-512 BF16 is only told of: how the library packs weights anew there needs none."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    model = ChatModel(folder, bits=4)
    packed = [weights for weights in model.network.parameters() if weights.dtype == torch.uint8]
    before = [weights.data.clone() for weights in packed]
    assert model.answer([chat(question) for question, _ in LESSONS], most_tokens=20) == ANSWERS
    assert len(packed) == 2 * 7, "linear layers"
    assert all(torch.equal(one, other.data) for one, other in zip(before, packed, strict=True))


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_no_whole_blocks_are_refused_in_four_bits(tmp_path: Path, bits: chat_weights.Bits) -> None:
    tiny_chat.build(tmp_path, width=96)
    if bits == 4:
        with pytest.raises(RowsDoNotFit, match="it has rows of 96 weights, which is no multiple of 64"):
            ChatModel(tmp_path, bits=bits)
    else:
        assert ChatModel(tmp_path, bits=bits).answer([chat(LESSONS[0][0])], most_tokens=8) == ANSWERS[:1]


def test_it_takes_as_much_room_in_fewer_bits_as_was_planned(folder: Path) -> None:
    config = import_transformers().AutoConfig.from_pretrained(folder)
    for bits in (8, 4):
        resident = TorchResident(lambda bits=bits: ChatModel(folder, bits=bits, dtype="bfloat16"))  # type: ignore[misc]
        resident.load()
        assert resident.weights == pytest.approx(planned_bytes(config, bits=bits), rel=0.1)
