from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.media.timeline import GAP_S, Timeline

HOURS_12 = 12 * 3600.0
times = st.floats(-1e12, 1e12)
lengths = st.floats(0.001, 2.0)


@given(st.lists(st.tuples(times, lengths), max_size=60), st.one_of(st.none(), times), times)
def test_no_timestamps_make_more_silence_than_a_file_may_be_long(
    frames: list[tuple[float, float]], stated_end_s: float | None, zero_s: float
) -> None:
    timeline, silence_s, sound_s = Timeline(zero_s, stated_end_s, HOURS_12), 0.0, 0.0
    for at_s, seconds in frames:
        silence = timeline.silence_before(at_s)
        assert silence >= 0
        silence_s += silence
        timeline.advance(seconds)
        sound_s += seconds
    assert math.isfinite(timeline.position_s)
    assert timeline.position_s == pytest.approx(silence_s + sound_s)
    assert silence_s <= HOURS_12


@given(
    st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0, 3_000)), lengths), max_size=60),
    st.floats(-1e6, 1e6),
    st.floats(0, 0.04),
)
def test_credible_timestamps_are_kept(gaps: list[tuple[float, float]], zero_s: float, jitter_s: float) -> None:
    """Every frame lies where its timestamp says, to within the tolerance, however many small jumps there are."""
    timeline, at_s = Timeline(zero_s, None, 1e9), zero_s
    for index, (gap_s, seconds) in enumerate(gaps):
        at_s += gap_s
        stamp_s = at_s + (jitter_s if index % 2 else -jitter_s)
        timeline.silence_before(stamp_s)
        assert timeline.position_s == pytest.approx(stamp_s - zero_s, abs=GAP_S + 1e-6)
        timeline.advance(seconds)
        at_s += seconds


def test_a_clock_that_is_slow_is_followed() -> None:
    """A device that sends 20 ms of sound each 21 ms is an hour behind after a day, unless gaps are counted."""
    timeline = Timeline(0.0, None, HOURS_12)
    for index in range(100_000):
        timeline.silence_before(index * 0.021)
        timeline.advance(0.020)
    assert timeline.position_s == pytest.approx(2_100, abs=0.2)


@pytest.mark.parametrize("at_s", [-5.0, 1e8])
def test_a_wrong_timestamp_shifts_the_clock(at_s: float) -> None:
    timeline = Timeline(0.0, 60.0, HOURS_12)
    timeline.advance(10)
    assert timeline.silence_before(at_s) == 0
    timeline.advance(1)
    assert timeline.silence_before(at_s + 1 + 4) == pytest.approx(4), "later jumps count again"
