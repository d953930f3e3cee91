from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from inference.models.optimization.compiling import Compiled


def test_a_network_that_cannot_be_compiled_runs_as_it_is_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        raise RuntimeError("no compiler here")

    network = torch.nn.Linear(3, 2).requires_grad_(False)
    compiled = Compiled(network, backend=refuse)
    with caplog.at_level(logging.WARNING, "inference.models.optimization.compiling"), torch.inference_mode():
        answers = [compiled(torch.ones(1, 3)) for _ in range(2)]
        assert all(torch.equal(answer, network(torch.ones(1, 3))) for answer in answers)
    assert [record.getMessage().partition(": backend")[0] for record in caplog.records] == [
        "Linear runs as it is: compiling failed"
    ]


def test_what_was_compiled_is_what_runs() -> None:
    asked: list[int] = []

    def count(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        asked.append(1)
        return graph.forward

    compiled = Compiled(torch.nn.Linear(3, 2).requires_grad_(False), backend=count)
    with torch.inference_mode():
        assert torch.equal(compiled(torch.ones(1, 3)), compiled.network(torch.ones(1, 3)))
    assert asked == [1]
