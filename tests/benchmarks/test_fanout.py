"""The figures of the fan-out, from arrivals made by hand: events 1 and 2 at two viewers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from benchmarks.fanout import SERVERS, TURNS, delivery, ratios
from benchmarks.viewers import Arrival, BenchmarkViewer

SENT = {1: 10.0, 2: 11.0}


def viewer(*arrivals: tuple[int, float]) -> BenchmarkViewer:
    return cast(BenchmarkViewer, SimpleNamespace(arrivals=[Arrival(seq, at, {}) for seq, at in arrivals]))


def test_waits_and_cpu_are_counted_for_each_delivery() -> None:
    audience = [viewer((1, 10.010), (2, 11.020)), viewer((1, 10.030), (2, 11.040))]
    assert delivery(audience, 2, 0.0004, sent_at=lambda arrival: SENT[arrival.seq]) == {
        "deliveries": 4,
        "missing": 0,
        "in_order_and_once": True,
        "p50_ms": pytest.approx(30.0),
        "p99_ms": pytest.approx(40.0),
        "max_ms": pytest.approx(40.0),
        "cpu_us_per_delivery": pytest.approx(100.0),
    }


@pytest.mark.parametrize(
    ("arrivals", "missing", "in_order"),
    [([(1, 10.1)], 1, True), ([(2, 11.1), (1, 11.2)], 0, False), ([(1, 10.1), (2, 11.1), (2, 11.2)], 0, False)],
    ids=["one lost", "out of order", "twice"],
)
def test_what_is_lost_turned_round_or_doubled_shows(
    arrivals: list[tuple[int, float]], missing: int, in_order: bool
) -> None:
    found = delivery([viewer(*arrivals)], 2, 0.0, sent_at=lambda arrival: SENT[arrival.seq])
    assert (found["missing"], found["in_order_and_once"]) == (missing, in_order)


def test_the_second_server_is_compared_with_the_first_in_every_turn() -> None:
    first = {"p50_ms": 10.0, "p99_ms": 40.0, "cpu_us_per_delivery": 100.0}
    second = {"p50_ms": 5.0, "p99_ms": 40.0, "cpu_us_per_delivery": 70.0}
    found = ratios({SERVERS[0]: dict.fromkeys(TURNS, first), SERVERS[1]: dict.fromkeys(TURNS, second)})
    expected = {"p50_ms": 0.5, "p99_ms": 1.0, "cpu_us_per_delivery": 0.7}
    assert found == {"uvicorn_to_daphne": dict.fromkeys(TURNS, expected)}
