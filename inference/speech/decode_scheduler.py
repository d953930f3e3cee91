"""Decide when live text is worth another decode."""

from __future__ import annotations

from inference.audio import SAMPLE_RATE
from inference.speech.endpointing import Endpointer
from inference.speech.hypothesis import LivePolicy
from inference.speech.vad import VAD_WINDOW


class DecodeScheduler:
    """Schedules one session's live decodes: after a step of new speech, or at a pause; less often if they are slow."""

    def __init__(self, policy: LivePolicy) -> None:
        self._policy = policy
        self._until = 0
        """Samples covered by the last live decode of the open utterance; 0 before the first."""
        self._cost = 0.0
        """Compute seconds of the last live decode."""

    def is_due(self, endpointer: Endpointer) -> bool:
        """Return whether the open utterance has enough audio that was not decoded yet."""
        start, heard = endpointer.start, endpointer.window * VAD_WINDOW
        if start is None or heard - start < self._policy.first * SAMPLE_RATE:
            return False
        if endpointer.pause >= self._policy.breath * SAMPLE_RATE:
            return heard - endpointer.pause > max(start, self._until)
        step = max(self._policy.step, self._policy.step_cost * self._cost)
        return not self._until or heard - self._until >= step * SAMPLE_RATE

    def asked(self, endpointer: Endpointer) -> None:
        """Record that a live decode of all audio so far was requested."""
        self._until = endpointer.window * VAD_WINDOW

    def decoded(self, until: int) -> bool:
        """Record another decode, up to the sample `until`; return whether it is newer than the last live one."""
        is_newer = until > self._until
        self._until = max(until, self._until)
        return is_newer

    def took(self, seconds: float) -> None:
        """Record the compute time of that decode."""
        self._cost = seconds

    def begin(self) -> None:
        """Start another utterance. The decode time is kept."""
        self._until = 0
