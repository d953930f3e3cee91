"""Every tensor gets its place, values and ties survive, and what cannot be moved is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing._internal.two_tensor import TwoTensor

from inference.models.residency.layout import ALIGNMENT, Layout, Span, Unmovable, find_tensors, plan_layout
from tests.inference.models.residency.networks import Oddities, answers, language_model, written

CPU = torch.device("cpu")


def buffer_of(layout: Layout, spans: list[Span]) -> torch.Tensor:
    buffer = torch.zeros(layout.size, dtype=torch.uint8)
    for span in spans:
        buffer[span.offset : span.offset + len(span.source)] = span.source
    return buffer


def move(network: torch.nn.Module) -> Layout:
    """Into a buffer, and the old memory made worthless."""
    layout, spans = plan_layout([network])
    buffer = buffer_of(layout, spans)
    for span in spans:
        span.source.zero_()
    layout.empty(CPU)
    layout.point_to(buffer)
    return layout


def test_odd_tensors_keep_values_ties_and_identity() -> None:
    network = Oddities()
    before, parameters = answers(network), list(network.parameters())
    move(network)
    assert torch.equal(answers(network), before)
    assert all(old is new for old, new in zip(parameters, network.parameters(), strict=True))
    assert network.again.weight is network.linear.weight
    network.first.data[8:] = 5.0
    assert torch.equal(network.second[:8], torch.full((8, 8), 5.0))


def test_what_is_shared_is_stored_once() -> None:
    network = Oddities()
    layout, spans = plan_layout([network, network])
    needed = {
        "first and second": 24 * 8 * 4,
        "turned": 8 * 4 * 4,
        "linear, again": 8 * 8 * 4 + 2 * 8 * 4,
        "eight, packed": 2 * (8 * 8 + 8 * 2),
        "normed": 4 * 8 * 4 + 8,
        "unsaved, hidden": 8 * 2 + 8 * 8,
    }
    assert sum(len(span.source) for span in spans) == sum(needed.values())
    assert layout.size % ALIGNMENT == 0
    assert layout.size >= sum(needed.values())


def test_while_empty_nothing_can_be_computed_and_no_memory_is_held() -> None:
    network = Oddities()
    layout, _ = plan_layout([network])
    layout.empty(CPU)
    assert find_tensors([network]) == []
    with pytest.raises(RuntimeError, match="must be a matrix"):
        answers(network)


def test_a_transformer_writes_the_same_after_a_move() -> None:
    model = language_model()
    before = written(model)
    layout = move(model)
    assert written(model) == before
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert layout.size >= sum(parameter.numel() * 4 for parameter in model.parameters())


def test_a_wrapper_of_tensors_moves_by_what_it_is_made_of() -> None:
    network = torch.nn.Module()
    network.weight = torch.nn.Parameter(TwoTensor(torch.ones(4), torch.full((4,), 2.0)), requires_grad=False)
    move(network)
    assert torch.equal(network.weight.a, torch.ones(4))
    assert torch.equal(network.weight.b, torch.full((4,), 2.0))
    assert {id(tensor) for tensor in find_tensors([network])} == {id(network.weight.a), id(network.weight.b)}


def inference_tensor() -> torch.Tensor:
    with torch.inference_mode():
        return torch.ones(4)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(4).to_sparse(),
        lambda: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8),
        lambda: torch.empty(4, device="meta"),
        inference_tensor,
    ],
    ids=["sparse", "quantized", "meta", "inference"],
)
def test_what_cannot_be_moved_is_refused(make: Callable[[], torch.Tensor]) -> None:
    network = torch.nn.Linear(2, 2)
    network.register_buffer("odd", make())
    with pytest.raises(Unmovable, match=r"shape \(4"):
        plan_layout([network])


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(Unmovable, match="no weights"):
        plan_layout([torch.nn.ReLU()])


pieces = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 24), st.sampled_from([torch.float32, torch.int16, torch.uint8])),
    min_size=1,
    max_size=8,
)


@given(pieces)
def test_any_overlap_survives(pieces: list[tuple[int, int, torch.dtype]]) -> None:
    """Views of one storage at any place, of any width: afterwards each reads what it read before."""
    storage = torch.arange(64 * 4, dtype=torch.int32).view(torch.uint8)
    network = torch.nn.Module()
    for place, (start, length, dtype) in enumerate(pieces):
        network.register_buffer(f"t{place}", storage[start * 4 : (start + length) * 4].view(dtype))
    before = [tensor.clone() for tensor in network.buffers()]
    layout, spans = plan_layout([network])
    layout.point_to(buffer_of(layout, spans))
    assert all(torch.equal(old, new) for old, new in zip(before, network.buffers(), strict=True))
    covered = sum(len(span.source) for span in spans)
    assert covered == len({byte for start, length, _ in pieces for byte in range(start * 4, (start + length) * 4)})
