"""The three ways to load, held against each other."""

from __future__ import annotations

import torch

from inference.models.loading.component import Component, Form
from inference.models.loading.snapshot import write_snapshot
from inference.models.loading.strategy import STRATEGIES, load


def assert_every_way_gives_the_same(component: Component, form: Form) -> None:
    """Weights, constants that are computed, ties and the answer; leaves a snapshot behind."""
    write_snapshot(component, form)
    networks = {strategy: load(component, form, [strategy]).network for strategy in STRATEGIES}
    standard = networks.pop("standard")
    with torch.inference_mode():
        expected = component.probe(standard)
    for network in networks.values():
        assert not network.training
        assert network.config.dtype == getattr(torch, form.dtype)
        for kind in ("named_parameters", "named_buffers"):
            theirs, ours = dict(getattr(standard, kind)()), dict(getattr(network, kind)())
            assert theirs.keys() == ours.keys()
            assert {name for name in ours if ours[name].dtype != theirs[name].dtype} == set()
            assert {name for name in ours if not torch.equal(ours[name], theirs[name])} == set()
        with torch.inference_mode():
            torch.testing.assert_close(component.probe(network), expected)
