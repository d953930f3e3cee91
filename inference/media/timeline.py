"""The clock of a file: how much silence stands before each frame, so that captions have the times of the video."""

from __future__ import annotations

import math

GAP_S = 0.1
"""Tolerated jump in time: formats with millisecond timestamps and adjusted clocks jump by less."""

LONGEST_GAP_S = 3_600.0
"""A longer jump that no stated length confirms is a wrong timestamp."""


class Timeline:
    """Follows the timestamps of one track.

    A frame later than the audio before it gets silence in front. A frame that comes earlier, and one whose timestamp is
    not credible, follows at once, and the clock is shifted by the difference.
    """

    def __init__(self, zero_s: float, stated_end_s: float | None, longest_s: float) -> None:
        """Begin.

        Args:
            zero_s: Where the file begins on its own clock.
            stated_end_s: Where the track ends on that clock; None: unknown.
            longest_s: Most seconds of audio, with silence.
        """
        self.position_s = 0.0
        """Seconds of audio and silence so far."""
        self._zero_s = zero_s
        self._stated_end_s = stated_end_s
        self._longest_s = longest_s

    def silence_before(self, at_s: float) -> float:
        """Return the seconds of silence before a frame at `at_s` on the file's clock, and count them."""
        ahead_s = at_s - self._zero_s - self.position_s
        if abs(ahead_s) <= GAP_S or not math.isfinite(ahead_s):
            return 0.0
        if ahead_s > 0 and self._is_credible(at_s, ahead_s):
            self.position_s += ahead_s
            return ahead_s
        self._zero_s += ahead_s
        return 0.0

    def advance(self, seconds: float) -> None:
        """Count audio, or silence in place of damaged audio."""
        self.position_s += seconds

    def _is_credible(self, at_s: float, ahead_s: float) -> bool:
        if self.position_s + ahead_s > self._longest_s:
            return False
        return ahead_s <= LONGEST_GAP_S or (self._stated_end_s is not None and at_s <= self._stated_end_s)
