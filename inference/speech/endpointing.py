"""Detect the start and end of utterances from speech probabilities alone.

The result is independent of time, load and decoded text: the same probabilities always give the same utterances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.audio import SAMPLE_RATE
from inference.speech.vad import VAD_WINDOW


@dataclass(frozen=True, slots=True)
class Utterance:
    """A segment of audio to be decoded as one: speech with some surrounding silence."""

    start: int
    """Samples."""
    end: int
    """Samples."""
    onset: int
    """Samples: start of the first window classified as speech."""
    speech: int
    """Samples in windows classified as speech."""
    surest: float
    """The highest speech probability of a window."""


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """Values are in seconds unless noted otherwise. docs/live-policy.md has the measurements behind the defaults."""

    onset: float = 0.5
    """Speech probability that opens an utterance."""
    offset: float = 0.35
    """Speech probability below which a window inside an utterance counts as pause."""
    pre_roll: float = 0.3
    """Audio kept before the onset, because the first consonant precedes detection."""
    pauses: tuple[tuple[float, float], ...] = ((1.0, 0.4), (3.0, 0.2))
    """(utterance length so far, pause that closes it), interpolated: longer utterances are closed by shorter pauses."""
    cap: float = 8.0
    """Maximum length of an utterance."""
    cap_search: float = 2.5
    """At the cap, the utterance is cut at its least speech-like point within this many seconds before."""
    overlap: float = 0.1
    """Audio of the closing pause that the next utterance may begin with."""

    @property
    def earliest_cut(self) -> float:
        """Length at which an utterance may be cut at the earliest."""
        return self.cap - self.cap_search

    def pause(self, length: float) -> float:
        """Return the pause that closes an utterance of this length."""
        (low, longest), (high, shortest) = self.pauses[0], self.pauses[-1]
        if length <= low:
            return longest
        if length >= high:
            return shortest
        return longest + (shortest - longest) * (length - low) / (high - low)


SPOKEN = EndpointPolicy(pauses=((0.0, 0.6), (1.0, 0.6)), cap=15.0, cap_search=2.5)
"""Of utterances whose words are sealed while they are spoken: nobody waits for their end."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The state of an endpointer between two utterances, sufficient to continue.

    Window `n` covers the samples [n * WINDOW, (n + 1) * WINDOW).
    """

    window: int = 0
    """The next expected window."""
    floor: int = 0
    """Samples: earliest start of the next utterance."""
    carried: tuple[float, ...] = ()
    """After a cut: probabilities of the windows from `floor` to `window`, which open the next utterance."""

    @property
    def position(self) -> int:
        """Samples. Everything before belongs to closed utterances or to none."""
        return self.floor if self.carried else max(self.floor, self.window * VAD_WINDOW)


class Endpointer:
    """Splits a stream of window probabilities into utterances."""

    def __init__(self, policy: EndpointPolicy, boundary: Boundary | None = None) -> None:
        boundary = boundary or Boundary()
        self.policy = policy
        self.window = boundary.window
        self.start: int | None = boundary.floor if boundary.carried else None
        """First sample of the open utterance."""
        self._floor = boundary.floor
        self._probabilities = list(boundary.carried)
        self._pause = self._trailing_pause(boundary.carried)

    @property
    def boundary(self) -> Boundary:
        """State to resume from. Only valid if no utterance is open, or right after a cut opened one."""
        return Boundary(self.window, self._floor, tuple(self._probabilities))

    @property
    def earliest(self) -> int:
        """First sample that the open utterance, or else the next one, can include."""
        if self.start is not None:
            return self.start
        return max(self._floor, self.window * VAD_WINDOW - _samples(self.policy.pre_roll))

    @property
    def pause(self) -> int:
        """Samples of silence at the end of the open utterance."""
        return self._pause

    @property
    def surest(self) -> float:
        """The highest speech probability of the open utterance's windows so far; 0: none is open."""
        return max(self._probabilities, default=0.0)

    def so_far(self) -> Utterance:
        """Return the open utterance up to the last window. Only valid if one is open."""
        return self._utterance(self.window * VAD_WINDOW, self._probabilities)

    def push(self, probability: float) -> Utterance | None:
        """Process the next window's probability; return the utterance that it closes, if any."""
        self.window += 1
        if self.start is None:
            if probability >= self.policy.onset:
                self._open(probability)
            return None
        self._probabilities.append(probability)
        self._pause = self._pause_after(self._pause, probability)
        if self._pause >= _samples(self.policy.pause(self._speech_length() / SAMPLE_RATE)):
            return self._close(self.window * VAD_WINDOW, floor=self.window * VAD_WINDOW - _samples(self.policy.overlap))
        if self.window * VAD_WINDOW - self.start >= _samples(self.policy.cap):
            return self._cut()
        return None

    def flush(self, position: int) -> Utterance | None:
        """Close the open utterance at `position`, because no audio follows for now."""
        if self.start is not None:
            return self._close(position, floor=position)
        self._floor = max(self._floor, position)
        return None

    def _pause_after(self, pause: int, probability: float) -> int:
        # Hysteresis: probabilities between the two levels keep the current state.
        level = self.policy.onset if pause else self.policy.offset
        return pause + VAD_WINDOW if probability < level else 0

    def _trailing_pause(self, probabilities: Sequence[float]) -> int:
        pause = 0
        for probability in probabilities:
            pause = self._pause_after(pause, probability)
        return pause

    def _speech_length(self) -> int:
        return len(self._probabilities) * VAD_WINDOW - self._pause

    def _open(self, probability: float) -> None:
        self.start = max(self._floor, (self.window - 1) * VAD_WINDOW - _samples(self.policy.pre_roll))
        self._probabilities = [probability]
        self._pause = 0

    def _close(self, end: int, *, floor: int) -> Utterance:
        assert self.start is not None
        utterance = self._utterance(end, self._probabilities)
        self._floor = floor
        self.start = None
        self._probabilities = []
        self._pause = 0
        return utterance

    def _cut(self) -> Utterance:
        """Close the utterance at its least speech-like point near the cap; the remainder opens the next one."""
        assert self.start is not None
        first = max(1, len(self._probabilities) - int(_samples(self.policy.cap_search) / VAD_WINDOW))
        place = min(range(first, len(self._probabilities)), key=self._speechlikeness)
        rest = self._probabilities[place:]
        cut = self.window * VAD_WINDOW - len(rest) * VAD_WINDOW
        utterance = self._utterance(cut, self._probabilities[:place])
        self.start = self._floor = cut
        self._probabilities = rest
        self._pause = self._trailing_pause(rest)
        return utterance

    def _speechlikeness(self, place: int) -> tuple[float, float]:
        """Return the mean probability of a window and its neighbours, then its own."""
        around = self._probabilities[max(0, place - 1) : place + 2]
        return sum(around) / len(around), self._probabilities[place]

    def _utterance(self, end: int, probabilities: Sequence[float]) -> Utterance:
        assert self.start is not None
        first = (self.window - len(self._probabilities)) * VAD_WINDOW
        speech = [place for place, probability in enumerate(probabilities) if probability >= self.policy.onset]
        onset = first + speech[0] * VAD_WINDOW if speech else self.start
        return Utterance(self.start, end, onset, VAD_WINDOW * len(speech), max(probabilities))


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)
