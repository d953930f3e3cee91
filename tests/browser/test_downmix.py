"""The mix of a microphone's channels, with the arithmetic of the audio thread."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

RATE = 48_000
MIX = """async ([rate, rows]) => {
    const { Downmix } = await import("/static/js/downmix.js");
    const downmix = new Downmix(rate);
    const channels = rows.map((row) => Float32Array.from(row));
    return Array.from(channels[0], (_, at) => downmix.mix(channels, at));
}"""
NOISE = np.random.default_rng(5).normal(0, 0.1, RATE // 2)


def mixed(page: Page, *channels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(page.evaluate(MIX, [RATE, [channel.tolist() for channel in channels]]))


def level(signal: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(signal**2)))


@pytest.mark.parametrize("levels", [(1, -1), (1, -0.6), (-0.5, 1), (1, 1), (1, -1, 0.3, -0.3)])
def test_copies_of_one_voice_never_cancel(page: Page, levels: tuple[float, ...]) -> None:
    signal = mixed(page, *(factor * NOISE for factor in levels))
    expected = np.mean(np.abs(levels)) * level(NOISE)
    for tenth in range(1, 5):
        part = slice(tenth * RATE // 10, (tenth + 1) * RATE // 10)
        assert level(signal[part]) == pytest.approx(expected, rel=0.15)
    assert level(signal[RATE // 50 : RATE // 10]) == pytest.approx(expected, rel=0.2), "from the first word on"


def test_channels_of_their_own_are_averaged(page: Page) -> None:
    other = np.random.default_rng(6).normal(0, 0.1, len(NOISE))
    np.testing.assert_allclose(mixed(page, NOISE, other), (NOISE + other) / 2, atol=1e-6)
