"""The real Whisper goes and comes back; how the library is asked is tested with doubles, a GPU's way included."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.device import CPU, Device
from inference.models.residency.ctranslate2_model import CTranslate2Resident, StillLoaded
from inference.models.residency.memory import release_memory
from inference.models.residency.resident import NotLoaded, WeightsDamaged
from inference.speech.asr import DecodeRequest
from inference.speech.whisper import CTranslate2Transcriber
from tests.hearing import SENTENCE, is_heard

WhisperResident = CTranslate2Resident[CTranslate2Transcriber]
MIB = 2**20


class StubbornHandle:
    """A CTranslate2 model that lets go when it was asked often enough, and notes how it was asked."""

    def __init__(self, asks: int = 1) -> None:
        self.model_is_loaded = True
        self.calls: list[tuple[str, bool]] = []
        self._asks = asks

    def unload_model(self, to_cpu: bool = False) -> None:
        self.calls.append(("unload", to_cpu))
        self.model_is_loaded = len(self.calls) < self._asks

    def load_model(self, keep_cache: bool = False) -> None:
        self.calls.append(("load", keep_cache))
        self.model_is_loaded = True


class BrokenHandle(StubbornHandle):
    """One that does not come back, and does not say so."""

    def load_model(self, keep_cache: bool = False) -> None:
        self.calls.append(("load", keep_cache))


class Application:
    def __init__(self, *handles: StubbornHandle) -> None:
        self._handles = {"all": list(handles)}


def loaded(*handles: StubbornHandle, device: Device = CPU, unload_s: float = 5.0) -> CTranslate2Resident[Application]:
    resident = CTranslate2Resident(lambda: Application(*handles), device=device, unload_s=unload_s)
    resident.load()
    return resident


@pytest.fixture(scope="module")
def request_of_speech(speech: Path) -> DecodeRequest:
    audio = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))
    said = audio[round(10.3 * SAMPLE_RATE) : round(14.9 * SAMPLE_RATE)]
    return DecodeRequest(kind="final", start=0, audio=said, language="en")


@pytest.fixture
def whisper(whisper_base: Path, request_of_speech: DecodeRequest) -> Iterator[WhisperResident]:
    def write(transcriber: CTranslate2Transcriber) -> str:
        return transcriber.transcribe([request_of_speech])[0].text

    resident = CTranslate2Resident(lambda: CTranslate2Transcriber(whisper_base), warm_up=write)
    resident.load()
    yield resident
    resident.forget()


@pytest.mark.long
def test_whisper_hears_the_same_after_every_return_and_its_memory_goes_meanwhile(
    whisper: WhisperResident, request_of_speech: DecodeRequest
) -> None:
    process = psutil.Process()
    asleep: list[int] = []
    before = whisper.model.transcribe([request_of_speech])[0].text
    whisper.warm_up()
    for _ in range(4):
        whisper.sleep()
        release_memory(CPU)
        asleep.append(process.memory_info().rss)
        whisper.wake()
        whisper.warm_up()
        assert process.memory_info().rss - asleep[-1] > 60 * MIB
    # Weights left behind would be 70 MiB a cycle; the rest is the allocator's, in a process that ran other tests.
    assert asleep[-1] - asleep[1] < 40 * MIB
    assert whisper.model.transcribe([request_of_speech])[0].text == before
    assert is_heard(SENTENCE, before)


def test_whisper_asleep_cannot_be_used_by_mistake(whisper: WhisperResident, request_of_speech: DecodeRequest) -> None:
    whisper.sleep()
    with pytest.raises(RuntimeError, match="No model replica is available"):
        whisper.model.transcribe([request_of_speech])


def test_weights_that_are_gone_are_an_error_at_the_wake(tmp_path: Path, whisper_base: Path) -> None:
    folder = tmp_path / "whisper"
    folder.mkdir()
    for file in whisper_base.iterdir():
        (folder / file.name).symlink_to(file)
    resident = CTranslate2Resident(lambda: CTranslate2Transcriber(folder))
    resident.load()
    resident.sleep()
    (folder / "model.bin").unlink()
    with pytest.raises(RuntimeError, match=r"model\.bin"):
        resident.wake()
    (folder / "model.bin").symlink_to(whisper_base / "model.bin")
    resident.wake()
    resident.model.warm_up()


def test_on_a_gpu_the_hosts_copy_is_made_once_and_kept() -> None:
    handle = StubbornHandle()
    resident = loaded(handle, device=Device("cuda"))
    resident.keep_copy()
    resident.wake()
    assert handle.calls == [("unload", True), ("load", True)]


def test_on_a_cpu_the_weights_are_dropped_and_read_again() -> None:
    handle = StubbornHandle()
    resident = loaded(handle)
    resident.keep_copy()
    assert handle.calls == []
    resident.sleep()
    resident.sleep()
    resident.wake()
    assert handle.calls == [("unload", False), ("load", False)]


def test_a_library_that_does_not_let_go_at_once_is_asked_again() -> None:
    handles = StubbornHandle(3), StubbornHandle(1)
    loaded(*handles).sleep()
    assert [len(handle.calls) for handle in handles] == [3, 1]
    assert not any(handle.model_is_loaded for handle in handles)


def test_a_library_that_never_lets_go_is_an_error() -> None:
    started = time.monotonic()
    with pytest.raises(StillLoaded):
        loaded(StubbornHandle(sys.maxsize), unload_s=0.02).sleep()
    assert time.monotonic() - started >= 0.02


def test_a_library_that_does_not_load_again_is_an_error() -> None:
    resident = loaded(BrokenHandle())
    resident.sleep()
    with pytest.raises(NotLoaded):
        resident.wake()


def test_another_answer_is_damage_until_it_is_loaded_anew() -> None:
    answers = iter(["lobster", "crayfish", "crayfish", "crayfish"])
    resident = CTranslate2Resident(lambda: Application(StubbornHandle()), warm_up=lambda model: next(answers))
    resident.load()
    resident.warm_up()
    with pytest.raises(WeightsDamaged, match=r"'crayfish'.*'lobster'"):
        resident.warm_up()
    resident.forget()
    with pytest.raises(NotLoaded):
        resident.sleep()
    resident.load()
    resident.warm_up()
    resident.warm_up()
