"""The long session, made short, with the real processes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.endurance import GAP_S, LongMeeting
from benchmarks.growth import KEPT, growth
from benchmarks.statistics import slope
from benchmarks.vitals import Monitor, ProcessVitals, Vitals
from inference.audio import SAMPLE_RATE, decode_file
from meetings.broker.incidents import INCIDENT_SENTENCES
from tests.live import REPOSITORY, running_parlance

pytestmark = pytest.mark.xdist_group("processes")

CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
BEGINNING_S = 8
LOOK_S = 0.2
OF_THE_WORKERS = ("parlance:incidents", "parlance:report:", "parlance:workers", "parlance:{results}:lease")
"""What is there as long as a worker is."""

EXPIRED_S = 30.0
"""A lease of a worker's chore is gone after this, or renewed."""


@pytest.mark.long
def test_a_session_rests_ends_and_leaves_nothing_in_the_broker(whisper_base: Path, tmp_path: Path) -> None:
    samples = np.concatenate(list(decode_file(CLIP)))
    beginning = tmp_path / "beginning.flac"
    soundfile.write(beginning, samples[: BEGINNING_S * SAMPLE_RATE], SAMPLE_RATE)
    seconds = len(samples) / SAMPLE_RATE + BEGINNING_S
    with running_parlance() as parlance:
        meeting = LongMeeting(parlance, [CLIP, beginning], hours=30 / 3600, rest_every_h=20 / 3600)
        asyncio.run(meeting.hold())
        left, incidents = left_in_the_broker(meeting.monitor), meeting.monitor.incidents()
    # The clip as fast as it goes; then a rest with its beginning at real time, and that is long enough.
    assert meeting.outcome["audio_hours"] == round((seconds + 2 * GAP_S) / 3600, 3)
    assert meeting.outcome["captions"] > 4
    assert meeting.outcome["messages"]["live"]["partial"] > 0
    assert meeting.outcome["connections"] == {"live": 1, "portuguese": 2}
    assert meeting.outcome["late_reader_has_the_same"]
    assert left == []
    assert {incident.split()[1] for incident in incidents} <= set(INCIDENT_SENTENCES)


def left_in_the_broker(monitor: Monitor) -> list[str]:
    """Keys that do not go away. A chore that runs at the moment holds a lease, which expires."""
    deadline = time.monotonic() + EXPIRED_S
    while left := [key for key in monitor.keys() if not key.startswith(OF_THE_WORKERS)]:  # noqa: SIM118 - no mapping
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
    return left


def test_growth_is_told_from_the_settled_part_of_a_session() -> None:
    samples = [vitals(audio_h=hour / 40, rss_mib=500.0 + (0 if hour < 40 else hour / 40)) for hour in range(161)]
    found = growth(samples[0], samples, samples[-1])
    resident = found["processes"]["inference"]["rss_mib"]
    assert (resident["before"], resident["most"], resident["after"]) == (500.0, 504.0, 504.0)
    assert resident["slope_per_hour"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found["hours"] == [3600.0] * 4
    assert len(found["samples"]) <= KEPT


def test_a_short_session_has_no_slope() -> None:
    samples = [vitals(audio_h=hour / 40, rss_mib=500.0) for hour in range(48)]
    assert growth(samples[0], samples, samples[-1])["processes"]["inference"]["rss_mib"]["slope_per_hour"] is None


@given(st.floats(-100, 100), st.floats(-1000, 1000), st.lists(st.integers(0, 50), min_size=3, max_size=30, unique=True))
def test_a_line_is_found_again(gradient: float, offset: float, places: list[int]) -> None:
    found = slope([float(x) for x in places], [offset + gradient * x for x in places])
    assert found.value == pytest.approx(gradient, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_noise_widens_the_interval() -> None:
    found = slope([0, 1, 2, 3, 4], [0, 1, 0, 1, 0])  # residual deviation 0.632, spread 10, t(3) 3.182
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert (found.low, found.high) == (pytest.approx(-0.6365, abs=1e-3), pytest.approx(0.6365, abs=1e-3))


def test_two_points_are_no_line() -> None:
    with pytest.raises(ValueError, match="three points"):
        slope([0, 1], [0, 1])


def vitals(*, audio_h: float, rss_mib: float) -> Vitals:
    return Vitals(3600 * audio_h, audio_h, 0.0, {"inference": ProcessVitals(rss_mib, 10, 20)}, 2, 1.5, 1.0, 0.5)
