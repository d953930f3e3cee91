"""Real networks go to sleep and wake up; on a GPU as well, where there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from inference.models.device import CPU, Device
from inference.models.residency.layout import plan_layout
from inference.models.residency.memory import release_memory
from inference.models.residency.resident import NotLoaded, WeightsDamaged
from inference.models.residency.torch_module import TorchResident
from tests.inference.models.residency.networks import Oddities, answers, language_model, written

DEVICES = [CPU, *([Device("cuda")] if torch.cuda.is_available() else [])]
MIB = 2**20


class Application:
    """An object of our own that holds networks, as translators and listeners do."""

    def __init__(self) -> None:
        self.label = "an application"
        self._writer = language_model()
        self._parts = {"odd": [Oddities()]}

    def run(self) -> tuple[list[int], torch.Tensor]:
        return written(self._writer), answers(self._parts["odd"][0])


def loaded(load: Callable[[], Any], device: Device, folder: Path | None = None, **options: Any) -> TorchResident[Any]:
    resident = TorchResident(load, device=device, folder=folder, **options)
    resident.load()
    return resident


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.kind)
def test_cycles_leave_answers_as_they_were(device: Device, tmp_path: Path) -> None:
    resident = loaded(Application, device, tmp_path)
    resident.wake()
    tokens, values = resident.model.run()
    for _ in range(10):
        resident.sleep()
        resident.wake()
        again, values_again = resident.model.run()
        assert again == tokens
        assert torch.equal(values_again, values)


def test_all_networks_inside_of_an_object_are_measured() -> None:
    resident = loaded(Application, CPU)
    plain = [*resident.model._writer.parameters(), *resident.model._writer.buffers()]
    assert resident.weights is not None
    assert resident.weights >= sum(tensor.nbytes for tensor in plain)
    resident.keep_copy()
    alone = [plan_layout([network])[0].size for network in (language_model(), Oddities())]
    assert resident.weights == sum(alone)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.kind)
def test_asleep_it_cannot_be_used_and_keeps_its_device(device: Device) -> None:
    resident = loaded(Oddities, device)
    resident.sleep()
    assert resident.model.first.device.type == device.kind
    with pytest.raises(RuntimeError):
        answers(resident.model)


def test_every_method_may_be_called_again() -> None:
    resident = loaded(Oddities, CPU)
    values = answers(resident.model)
    for method in (resident.load, resident.keep_copy, resident.sleep, resident.wake):
        method()
        method()
    assert torch.equal(answers(resident.model), values)


def test_a_model_used_in_inference_mode_can_be_moved_from_within_it() -> None:
    resident = loaded(Oddities, CPU)
    values = answers(resident.model)
    with torch.inference_mode():
        resident.sleep()
        resident.wake()
    assert torch.equal(answers(resident.model), values)
    assert not any(parameter.is_inference() for parameter in resident.model.parameters())


def test_damage_is_noticed_at_the_wake() -> None:
    resident = loaded(Oddities, CPU)
    resident.keep_copy()
    assert resident._copy is not None
    file = resident._copy._file  # type: ignore[attr-defined]
    file.seek(300)
    file.write(b"damaged")
    file.flush()
    with pytest.raises(WeightsDamaged):
        resident.wake()


def test_another_answer_at_the_warm_up_is_noticed() -> None:
    said = iter("aab")
    resident = loaded(Oddities, CPU, warm_up=lambda model: next(said))
    resident.warm_up()
    resident.warm_up()
    with pytest.raises(WeightsDamaged, match=r"'b'.*'a'"):
        resident.warm_up()


def test_what_was_forgotten_is_loaded_again() -> None:
    resident = loaded(Oddities, CPU)
    first = resident.model
    values = answers(first)
    resident.keep_copy()
    resident.forget()
    for method in (resident.sleep, resident.wake, resident.warm_up):
        with pytest.raises(NotLoaded):
            method()
    resident.load()
    resident.wake()
    assert resident.model is not first
    assert torch.equal(answers(resident.model), values)


def used(device: Device) -> int:
    """Bytes in use on the device; on a CPU, of this process."""
    release_memory(device)
    return psutil.Process().memory_info().rss if device.kind == "cpu" else torch.cuda.memory_reserved(device.index)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.kind)
def test_sleeping_frees_the_memory_of_the_weights(device: Device) -> None:
    """100 MiB of weights go with the sleep and come back with the wake, five times over, and no more."""
    resident = loaded(lambda: torch.nn.Linear(5120, 5120), device)
    resident.keep_copy()
    asleep = used(device)
    for _ in range(5):
        resident.wake()
        assert 95 * MIB < used(device) - asleep < 125 * MIB
        resident.sleep()
        assert abs(used(device) - asleep) < 4 * MIB
