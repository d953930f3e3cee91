"""Bring very quiet recordings up to a level at which speech is detected and recognized.

Recordings of ordinary level pass through unchanged, bit for bit. The gain is a function of the samples so far and of
the next second, so the same file always gives the same audio.
"""

from __future__ import annotations

from collections import deque

import numpy as np

LEVEL_BLOCK = 16_000
"""Samples to which one gain belongs: a second. Within it the gain changes linearly to that of the next one."""

STEP = 1_600
"""Samples of which one level is measured: 0.1 s."""

WINDOW = 60
"""Blocks over which the level is measured."""

QUIET_DB = -54.0
"""Level below which audio is brought up to it. Silero begins to lose speech at −62 dB and hears none below −72."""

MOST_DB = 60.0
"""Largest gain. What is quieter is the noise of 16 bits."""

LOUD_SHARE = 90.0
"""Percentile of the levels in the window that counts as the level of speech."""

SILENCE_DB = -110.0
"""Levels below are digital silence, and do not count."""


class Leveller:
    """Levels one recording. Each block comes back when the next one is known."""

    def __init__(self) -> None:
        self._levels: deque[np.ndarray] = deque(maxlen=WINDOW + 1)
        self._held: np.ndarray | None = None
        self._gain: float | None = None
        """At the start of the held block; None: it is the first."""

    def push(self, block: np.ndarray) -> np.ndarray | None:
        """Take a float32 block of LEVEL_BLOCK samples; return the one before, levelled, or None for the first."""
        self._levels.append(levels_of(block))
        held, self._held = self._held, block
        return None if held is None else self._levelled(held, block)

    def flush(self) -> np.ndarray | None:
        """Return the last block, levelled; None: there was none."""
        held, self._held = self._held, None
        return None if held is None else self._levelled(held, held)

    def _levelled(self, block: np.ndarray, after: np.ndarray) -> np.ndarray:
        gain = self._gain_between(block, after)
        before, self._gain = gain if self._gain is None else self._gain, gain
        if before == gain == 1.0:
            return block
        return np.asarray(block * np.linspace(before, gain, len(block), dtype=np.float32), np.float32)

    def _gain_between(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return the factor at the border of two blocks."""
        measured = np.concatenate(list(self._levels))
        heard = measured[measured > SILENCE_DB]
        level_db = float(np.percentile(heard, LOUD_SHARE)) if len(heard) else QUIET_DB
        gain = 10 ** (min(MOST_DB, max(0.0, QUIET_DB - level_db)) / 20)
        peak = max(float(np.abs(block).max(initial=0)) for block in (first, second))
        return min(gain, 1 / peak) if peak > 0 else gain


def levels_of(block: np.ndarray) -> np.ndarray:
    """Return the level of each STEP samples in dB below full scale."""
    steps = block[: max(1, len(block) // STEP) * STEP]
    parts = np.array_split(steps, max(1, len(steps) // STEP))
    power = [float(np.mean(np.square(part, dtype=np.float64))) for part in parts]
    return 10 * np.log10(np.maximum(power, 1e-30))
