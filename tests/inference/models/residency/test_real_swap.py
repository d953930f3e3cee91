"""Captions' real models and a summariser of the real class, swapped on a CPU within a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.device import CPU
from inference.models.residency.ctranslate2_model import CTranslate2Resident
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.history import StepKind
from inference.models.residency.memory import DeviceMemory, release_memory
from inference.models.residency.plan import Group, ModelNeed, ModelSize, Residency
from inference.models.residency.pool import ModelPool, PoolState, SwapFailed
from inference.models.residency.sizes import file_bytes, planned_bytes
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from inference.speech.asr import DecodeRequest
from inference.speech.whisper import CTranslate2Transcriber
from tests.hearing import SENTENCE, is_heard
from tests.inference.models.residency.networks import Oddities, answers, language_model, written

MIB = 2**20
CYCLES = 7
SETTLED = 3
"""Cycles after which the allocators have what they want."""
FLAT = 16 * MIB
"""Less than a third of the summariser: the allocators' own ups and downs are half of this."""


@pytest.fixture(scope="module")
def request_of_speech(speech: Path) -> DecodeRequest:
    audio = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))
    said = audio[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return DecodeRequest(kind="live", start=0, audio=said, language="en")


def summarizer() -> Any:
    """52 MiB of weights."""
    return language_model(layers=12, width=384)


@pytest.fixture
def pool(whisper_base: Path, tmp_path: Path) -> Iterator[ModelPool]:
    yield from make_pool(whisper_base, tmp_path, summarizer)


def make_pool(whisper_base: Path, folder: Path, load_summarizer: Callable[[], Any]) -> Iterator[ModelPool]:
    """With room for Whisper or the summariser, and not for both."""
    whisper = CTranslate2Resident(lambda: CTranslate2Transcriber(whisper_base))
    sizes = file_bytes(whisper_base), planned_bytes(summarizer().config, bits=32)
    members = [
        Member("asr", ModelNeed("Whisper base", Group.TRANSCRIPTION, ModelSize(sizes[0])), whisper),
        Member(
            "voices", ModelNeed("voices", Group.TRANSCRIPTION, ModelSize(MIB)), TorchResident(Oddities, folder=folder)
        ),
        Member(
            "summary",
            ModelNeed("Qwen2", Group.SUMMARIZATION, ModelSize(sizes[1], MIB)),
            TorchResident(load_summarizer, folder=folder, warm_up=lambda model: written(model, 1)),
        ),
    ]
    pool = ModelPool(members, DeviceMemory(CPU, file_bytes(whisper_base) + 10 * MIB))
    pool.start()
    yield pool
    whisper.forget()


@pytest.mark.long
def test_cycles_leave_answers_and_memory_as_they_were(pool: ModelPool, request_of_speech: DecodeRequest) -> None:
    process = psutil.Process()
    heard, summaries, values, captions_rss, summary_rss = set(), set(), [], [], []
    assert pool.plan.residency is Residency.SWAP
    for _ in range(CYCLES):
        with pool.use("asr") as transcriber, pool.use("voices") as voices:
            heard.add(transcriber.transcribe([request_of_speech])[0].text)
            values.append(answers(voices).tolist())
        pool.swap_to_summarization()
        with pool.use("summary") as model:
            summaries.add(tuple(written(model)))
        release_memory(CPU)
        summary_rss.append(process.memory_info().rss)
        pool.swap_to_transcription()
        release_memory(CPU)
        captions_rss.append(process.memory_info().rss)
    assert (len(heard), len(summaries)) == (1, 1)
    assert is_heard(SENTENCE, *heard)
    assert values == values[:1] * CYCLES
    for sizes in (captions_rss, summary_rss):
        assert max(sizes[SETTLED:]) - min(sizes[SETTLED:]) < FLAT
    assert pool.expected_s() is not None


def test_every_step_of_a_swap_is_timed_and_sized(pool: ModelPool) -> None:
    there, back = pool.swap_to_summarization(), pool.swap_to_transcription()
    assert there is not None
    assert back is not None
    assert there.size_of(StepKind.WAKE) == pytest.approx(planned_bytes(summarizer().config, bits=32), rel=0.01)
    assert 0.0 < there.seconds_of(StepKind.WAKE) <= there.seconds
    assert there.gigabytes_per_second > 0.0
    assert back.seconds_of(StepKind.LOAD) == 0.0
    again = pool.swap_to_summarization()
    assert again is not None
    assert again.seconds_of(StepKind.LOAD) == 0.0


def test_a_loader_without_memory_gives_captions_back(
    whisper_base: Path, tmp_path: Path, request_of_speech: DecodeRequest
) -> None:
    def load() -> Any:
        raise MemoryError

    for pool in make_pool(whisper_base, tmp_path, load):
        with pytest.raises(SwapFailed) as failed:
            pool.swap_to_summarization()
        assert isinstance(failed.value.__cause__, MemoryError)
        assert pool.state is PoolState.TRANSCRIPTION
        with pool.use("asr") as transcriber:
            assert is_heard(SENTENCE, transcriber.transcribe([request_of_speech])[0].text)


def test_damaged_weights_give_captions_back_and_the_next_try_loads_anew(
    pool: ModelPool, request_of_speech: DecodeRequest
) -> None:
    pool.swap_to_summarization()
    with pool.use("summary") as model:
        before = written(model)
    pool.swap_to_transcription()
    file = pool._members["summary"].resident._copy._file  # type: ignore[attr-defined]
    file.seek(5 * MIB)
    file.write(b"damaged")
    file.flush()
    with pytest.raises(SwapFailed, match="blocks of weights differ"):
        pool.swap_to_summarization()
    with pool.use("asr") as transcriber:
        assert is_heard(SENTENCE, transcriber.transcribe([request_of_speech])[0].text)
    with pytest.raises(ModelAsleep), pool.use("summary"):
        pass
    pool.swap_to_summarization()
    with pool.use("summary") as model:
        assert written(model) == before
