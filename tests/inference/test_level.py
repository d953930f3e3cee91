from __future__ import annotations

import numpy as np
import pytest

from inference.level import LEVEL_BLOCK, QUIET_DB, Leveller, levels_of

RNG = np.random.default_rng(3)
NOISE = RNG.normal(0, 1, 20 * LEVEL_BLOCK + 5_000).astype(np.float32)


def levelled(samples: np.ndarray) -> np.ndarray:
    leveller, blocks = Leveller(), []
    for start in range(0, len(samples), LEVEL_BLOCK):
        blocks.append(leveller.push(samples[start : start + LEVEL_BLOCK]))
    blocks.append(leveller.flush())
    return np.concatenate([block for block in blocks if block is not None])


@pytest.mark.parametrize("level", [0.003, 0.01, 0.2])
def test_ordinary_levels_pass_unchanged(level: float) -> None:
    samples = np.clip(NOISE * level, -1, 1).astype(np.float32)
    np.testing.assert_array_equal(levelled(samples), samples)


@pytest.mark.parametrize("level", [1e-3, 1e-4, 3e-5])
def test_quiet_audio_is_brought_up(level: float) -> None:
    heard = levelled(NOISE * np.float32(level))
    assert np.percentile(levels_of(heard), 90) == pytest.approx(QUIET_DB, abs=0.5)


def test_silence_stays_silence() -> None:
    assert not levelled(np.zeros(3 * LEVEL_BLOCK, np.float32)).any()


def test_audio_beyond_full_scale_is_brought_down() -> None:
    heard = levelled(NOISE * np.float32(2))
    assert np.abs(heard).max() <= 1.0 + 1e-6
    assert np.corrcoef(heard, NOISE)[0, 1] > 0.99, "not clipped"


def test_a_loud_moment_in_quiet_audio_stays_within_full_scale() -> None:
    samples = NOISE * np.float32(1e-4)
    samples[5 * LEVEL_BLOCK : 5 * LEVEL_BLOCK + 800] = 0.5
    assert np.abs(levelled(samples)).max() <= 1.0 + 1e-6


def test_nothing_gives_nothing() -> None:
    assert Leveller().flush() is None
