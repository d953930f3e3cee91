from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.media.downmix import FADE, Downmix

RNG = np.random.default_rng(7)
SPEECH = RNG.normal(0, 0.1, 64_000).astype(np.float32) * np.repeat(RNG.uniform(0.05, 1, 64), 1_000).astype(np.float32)


def mixed(*channels: np.ndarray, block: int = 16_000) -> np.ndarray:
    downmix, sound = Downmix(), np.stack(channels, axis=1)
    return np.concatenate([downmix.mix(sound[start : start + block]) for start in range(0, len(sound), block)])


@given(
    st.lists(st.floats(-1, 1).filter(lambda level: abs(level) > 0.02), min_size=1, max_size=7),
    st.integers(1_600, 40_000),
)
def test_copies_of_one_voice_never_cancel(levels: list[float], block: int) -> None:
    heard = mixed(SPEECH, *(np.float32(level) * SPEECH for level in levels), block=block)
    expected = (1 + sum(abs(level) for level in levels)) / (1 + len(levels))
    np.testing.assert_allclose(np.abs(heard), expected * np.abs(SPEECH), rtol=1e-3, atol=1e-5)
    assert np.corrcoef(heard, SPEECH)[0, 1] ** 2 == pytest.approx(1), "never turned over in between"


def test_ordinary_stereo_is_the_mean_bit_for_bit() -> None:
    other = RNG.normal(0, 0.1, len(SPEECH)).astype(np.float32)
    np.testing.assert_array_equal(mixed(SPEECH, other), (SPEECH + other) / np.float32(2))
    np.testing.assert_array_equal(mixed(SPEECH, 0 * SPEECH), SPEECH / np.float32(2))


def test_a_leg_that_turns_over_on_the_way_is_followed() -> None:
    other = SPEECH.copy()
    other[32_000:] *= -1
    heard = mixed(SPEECH, other)
    np.testing.assert_allclose(heard[:32_000], SPEECH[:32_000], atol=1e-6)
    np.testing.assert_allclose(np.abs(heard[32_000 + FADE :]), np.abs(SPEECH[32_000 + FADE :]), atol=1e-6)


def test_numbers_that_are_none_do_no_harm() -> None:
    broken = SPEECH.copy()
    broken[100] = np.nan
    assert len(mixed(SPEECH, broken)) == len(SPEECH)


@pytest.mark.parametrize(("factor", "samples"), [(1.0, 400), (-0.8, 80), (0.5, -200)])
def test_a_delayed_copy_is_no_echo(factor: float, samples: int) -> None:
    other = np.float32(factor) * np.roll(SPEECH, samples)
    np.testing.assert_allclose(mixed(SPEECH, other), SPEECH, atol=1e-6)
