"""Three strategies to load a network, fastest first. If one fails, the next is tried, and the log says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from inference.models.loading.component import Component, Form, NotMappable
from inference.models.loading.manifest import SnapshotMissing, SnapshotUnusable
from inference.models.loading.snapshot import load_snapshot

Strategy = Literal["snapshot", "mapped", "standard"]

STRATEGIES: tuple[Strategy, ...] = ("snapshot", "mapped", "standard")
"""`snapshot`: a prepared copy (`loading.snapshot`). `mapped`: the publisher's own file, read on use. `standard`: the
network's own loader, which always works.
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SkippedStrategy:
    """Why a loading strategy was skipped."""

    strategy: Strategy
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    network: Any
    """On the host, in evaluation mode."""
    strategy: Strategy
    seconds: float
    """Duration of the strategy that succeeded, including checks."""
    refusals: tuple[SkippedStrategy, ...]
    folder: Path | None
    """The snapshot's folder, which also holds settings and tokenizer; None if they are where the weights came from."""


def load(component: Component, form: Form, strategies: Sequence[Strategy] = STRATEGIES) -> Loaded:
    """Load the network with the first strategy that works.

    Raises:
        SnapshotUnusable, NotMappable: none of `strategies` works, and the last one fails with that.
        Others: whatever the component's own loader raises.
    """
    refusals: list[SkippedStrategy] = []
    for strategy in strategies:
        started = time.perf_counter()
        try:
            network, folder = WAYS[strategy](component, form)
        except (SnapshotUnusable, NotMappable) as error:
            refusals.append(SkippedStrategy(strategy, str(error)))
            _log_refusal(component, refusals[-1], is_expected=isinstance(error, SnapshotMissing | NotMappable))
            if len(refusals) == len(strategies):
                raise
            continue
        seconds = time.perf_counter() - started
        log.info("network_loaded", network=component.name, strategy=strategy, seconds=round(seconds, 3))
        return Loaded(network, strategy, seconds, tuple(refusals), folder)
    raise ValueError("no strategy was given")


def _log_refusal(component: Component, refusal: SkippedStrategy, *, is_expected: bool) -> None:
    """Log a skipped strategy. A snapshot that exists but cannot be trusted is logged as a warning."""
    say = log.info if is_expected else log.warning
    say("strategy_refused", network=component.name, strategy=refusal.strategy, reason=refusal.reason)


def _map(component: Component, form: Form) -> tuple[Any, None]:
    return component.map(form), None


def _read(component: Component, form: Form) -> tuple[Any, None]:
    return component.read(form), None


WAYS: Mapping[Strategy, Callable[[Component, Form], tuple[Any, Path | None]]] = {
    "snapshot": load_snapshot,
    "mapped": _map,
    "standard": _read,
}
