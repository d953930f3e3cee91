"""Every network that the product runs, watched while each public way in is driven."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.audio import SAMPLE_RATE, decode_file
from inference.diarization.local_speakers import load_listener
from inference.diarization.recording import diarize_recording
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from inference.models.optimization.dtypes import dtypes_of
from inference.models.optimization.flags import EVERYTHING_OFF, FlagChoices
from inference.speech.asr import DecodeRequest
from inference.speech.whisper_transformers import TransformersTranscriber
from inference.summarization.chat import ChatModel
from inference.summarization.summarizer import ChatSummarizer
from inference.summarization.translated import translate_summary
from inference.translation.m2m100 import M2M100Translator
from inference.translation.translator import TranslationRequest
from tests import REPOSITORY
from tests.inference.summarization import tiny_chat
from tests.inference.summarization.talk import BUDGET
from tests.inference.translation import tiny_m2m100

pytestmark = [pytest.mark.xdist_group("voices"), pytest.mark.filterwarnings("ignore")]  # torchcodec, lightning

PRODUCT = sorted([*(REPOSITORY / "inference").rglob("*.py"), *(REPOSITORY / "meetings").rglob("*.py")])
MOVES_WEIGHTS = ("inference/models/loading", "inference/models/residency")
"""Folders of modules that read, move and count weights."""

NO_FORWARD_PASS = {
    "inference/diarization/pyannote_loader.py": "reads weights",
    "inference/diarization/campplus.py": "is the network itself",
    "inference/models/optimization/execution.py": "is what the others run in",
    "inference/models/optimization/compiling.py": "calls what it was given, inside of a step",
    "inference/models/optimization/dtypes.py": "looks at weights",
    "inference/models/torchaudio_compat.py": "imports",
    "inference/summarization/gguf_conversion.py": "writes weights",
    "inference/speech/whisper_weights.py": "reads weights, and looks at one answer of theirs",
    "inference/summarization/chat_weights.py": "the same",
    "inference/translation/m2m100_weights.py": "the same",
    "meetings/device/diarization.py": "sets the number of threads",
    "meetings/device/summarization.py": "sets the number of threads",
    "inference/diarization/wespeaker.py": "driven with random weights by tests/inference/diarization/test_community.py",
}
"""Modules with torch that no drive below passes through, and why."""


class Watch:
    """What was seen of forward passes."""

    def __init__(self) -> None:
        self.modes: set[bool] = set()
        self.networks: set[str] = set()
        self.files: set[str] = set()

    def __call__(self, module: torch.nn.Module, inputs: object) -> None:
        self.modes.add(torch.is_inference_mode_enabled())
        self.networks.add(type(module).__name__)
        frame = sys._getframe(1)
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(REPOSITORY) and path.parts[len(REPOSITORY.parts)] in ("inference", "meetings"):
                self.files.add(str(path.relative_to(REPOSITORY)))
            frame = frame.f_back  # type: ignore[assignment]


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    handle = torch.nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        yield watch
    finally:
        handle.remove()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As the worker has it: threads of networks this small wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folders(one_thread: None, tmp_path_factory: pytest.TempPathFactory, models: Path) -> dict[str, Path]:
    return {
        "voices": ensure_model(find_model("segmentation-campplus"), models),
        "whisper": ensure_model(find_model("whisper-base"), models),
        "m2m100": tiny_m2m100.build(tmp_path_factory.mktemp("m2m100")),
        "chat": tiny_chat.build(tmp_path_factory.mktemp("chat")),
    }


@pytest.fixture(scope="module")
def speech_window(speech: Path) -> np.ndarray:
    return np.concatenate(list(decode_file(speech / "lobster_24s.flac")))[:SEGMENTATION_WINDOW]


def transcribe(folders: dict[str, Path], audio: np.ndarray, wishes: FlagChoices) -> Any:
    transcriber = TransformersTranscriber(folders["whisper"], wishes=wishes, strategies=["mapped"])
    said = audio[round(2.0 * SAMPLE_RATE) : round(5.0 * SAMPLE_RATE)]
    (heard,) = transcriber.transcribe([DecodeRequest(kind="live", start=0, audio=said, language="en")])
    return heard.text


def diarize(folders: dict[str, Path], audio: np.ndarray, wishes: FlagChoices) -> Any:
    return diarize_recording([audio], load_listener(folders["voices"], wishes=wishes))


def translate(folders: dict[str, Path], _: np.ndarray, wishes: FlagChoices) -> Any:
    translator = M2M100Translator(folders["m2m100"], wishes=wishes)
    return translator.translate([TranslationRequest("Good morning.", "en", "pt")])[0].text


def summarize(folders: dict[str, Path], _: np.ndarray, wishes: FlagChoices) -> Any:
    summarizer = ChatSummarizer(ChatModel(folders["chat"], wishes=wishes))
    return summarizer.summarize(BUDGET, within_s=60.0)


def translate_a_summary(folders: dict[str, Path], audio: np.ndarray, wishes: FlagChoices) -> Any:
    translator = M2M100Translator(folders["m2m100"], wishes=wishes)

    def texts(sentences: list[str]) -> list[str]:
        return [
            found.text for found in translator.translate([TranslationRequest(text, "en", "pt") for text in sentences])
        ]

    return translate_summary(summarize(folders, audio, wishes), "pt", texts)


Drive = Callable[[dict[str, Path], np.ndarray, FlagChoices], Any]
DRIVES: dict[Drive, set[str]] = {
    transcribe: {"WhisperForConditionalGeneration"},
    diarize: {"PyanNet", "CamPlusPlus"},
    translate: {"M2M100ForConditionalGeneration"},
    summarize: {"Qwen2ForCausalLM"},
    translate_a_summary: {"M2M100ForConditionalGeneration", "Qwen2ForCausalLM"},
}
"""Each way in that ends in torch, and the networks that it must reach. CTranslate2, ONNX Runtime and the starter
translation compute outside of torch."""


Driven = Callable[[Drive], tuple[Any, Watch]]


@pytest.fixture(scope="module")
def driven(folders: dict[str, Path], speech_window: np.ndarray) -> Driven:
    """What each way in answers with the settings as they are, and what was seen meanwhile; each is driven once."""

    @cache
    def drive_once(drive: Drive) -> tuple[Any, Watch]:
        with watching() as watch:
            found = drive(folders, speech_window, {})
        assert not torch.is_inference_mode_enabled()
        return found, watch

    return drive_once


@pytest.mark.parametrize("drive", DRIVES, ids=lambda drive: drive.__name__)
def test_every_way_in_runs_in_inference_mode(drive: Drive, driven: Driven) -> None:
    found, watch = driven(drive)
    assert found
    assert watch.modes == {True}
    assert watch.networks >= DRIVES[drive]


@pytest.mark.parametrize("drive", DRIVES, ids=lambda drive: drive.__name__)
def test_everything_off_gives_the_same_answers(
    drive: Drive, driven: Driven, folders: dict[str, Path], speech_window: np.ndarray
) -> None:
    with watching() as watch:
        found = drive(folders, speech_window, EVERYTHING_OFF)
    assert watch.modes == {False}
    assert found == driven(drive)[0]


def test_every_module_with_torch_is_driven_or_runs_nothing(driven: Driven) -> None:
    with_torch = {str(path.relative_to(REPOSITORY)) for path in PRODUCT if _imports_torch(_tree(path))}
    running = {name for name in with_torch if not name.startswith(MOVES_WEIGHTS)}
    passed = {file for drive in DRIVES for file in driven(drive)[1].files}
    assert running - passed - NO_FORWARD_PASS.keys() == set()


def test_nothing_but_the_one_place_turns_modes_on_or_off() -> None:
    forbidden = {"no_grad", "set_grad_enabled", "enable_grad"}
    assert {path.name for path in PRODUCT if _attributes(_tree(path)) & forbidden} == set()
    modes = {path.name for path in PRODUCT if "inference_mode" in _called(_tree(path))}
    assert modes <= {"execution.py", "snapshot.py", "torch_module.py", "weights.py"}


def test_generation_is_direct_and_never_samples() -> None:
    """No pipeline of transformers, and nothing left to what a publisher sets."""
    inference = [path for path in PRODUCT if path.is_relative_to(REPOSITORY / "inference")]
    assert {path.name for path in inference if _attributes(_tree(path)) & {"pipeline", "Pipeline"}} == set()
    configuring = {path for path in inference if "GenerationConfig" in _called(_tree(path))}
    greedy = {path for path in inference if re.search(r"do_sample\W+False", path.read_text(encoding="utf-8"))}
    # whisper_weights keeps what a publisher says of alignment, and decodes nothing.
    assert {path.name for path in configuring - greedy} == {"whisper_weights.py"}
    assert {path.name for path in greedy} == {"chat.py", "m2m100.py", "whisper_transformers.py"}


def test_caches_are_emptied_at_switches_and_where_the_debug_flag_says_so() -> None:
    found = {path.name for path in PRODUCT if "empty_cache" in _attributes(_tree(path))}
    assert found == {"memory.py", "execution.py"}
    execution = _tree(REPOSITORY / "inference" / "models" / "optimization" / "execution.py")
    conditions = [
        ast.unparse(node.test)
        for node in ast.walk(execution)
        if isinstance(node, ast.If) and any("empty_cache" in ast.unparse(line) for line in node.body)
    ]
    assert conditions == ["self.tuning.debug_empty_cache"]


def test_autocast_always_says_all_three() -> None:
    calls = [
        {keyword.arg for keyword in node.keywords}
        for path in PRODUCT
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "autocast"
    ]
    assert calls == [{"device_type", "dtype", "enabled"}]


def test_autocast_reaches_the_network(folders: dict[str, Path]) -> None:
    listener = load_listener(folders["voices"], wishes={"autocast": "bfloat16"})
    seen: list[bool] = []
    listener._embedder._model.register_forward_pre_hook(  # type: ignore[attr-defined]
        lambda *_: seen.append(torch.is_autocast_enabled("cpu"))
    )
    found = listener._embedder.embed(np.random.default_rng(1).normal(0, 0.1, SAMPLE_RATE).astype(np.float32))
    assert seen == [True]
    assert found.dtype == np.float32


def test_channels_last_reaches_weights_of_four_dimensions_and_prints_stay(folders: dict[str, Path]) -> None:
    speech = np.random.default_rng(1).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    plain, last = (load_listener(folders["voices"], wishes={"channels_last": on})._embedder for on in ("0", "1"))
    weights = [weight for weight in last._model.parameters() if weight.dim() == 4]  # type: ignore[attr-defined]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert np.allclose(plain.embed(speech), last.embed(speech), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_report_of_types_is_what_the_weights_are(folders: dict[str, Path], precision: str) -> None:
    model = ChatModel(folders["chat"], wishes={"precision": precision})
    held = {id(tensor): tensor for tensor in model.network.parameters()}.values()
    assert dtypes_of(model) == {precision: sum(tensor.nbytes for tensor in held)}
    assert {str(tensor.dtype) for tensor in held} == {f"torch.{precision}"}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports_torch(tree: ast.Module) -> bool:
    """Not for types alone."""
    typing_only = {id(line) for node in ast.walk(tree) if isinstance(node, ast.If) for line in node.body}
    return any(
        (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "torch" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch")
        for node in ast.walk(tree)
        if id(node) not in typing_only
    )


def _attributes(tree: ast.Module) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _called(tree: ast.Module) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.attr for function in calls if isinstance(function, ast.Attribute)}
