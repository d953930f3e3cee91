"""When each place of a text is spoken."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from meetings.export.cues import Cue

FARTHEST = 2
"""Characters between two words: a space and a mark."""


class WordTimes:
    """Milliseconds by place in a caption's line: known where its words are, else in proportion.

    Times never go back.
    """

    def __init__(self, cue: Cue) -> None:
        self._places, self._times = [0], [cue.start_ms]
        self._latest = cue.end_ms
        self.word_starts: set[int] = set()
        """Where words are known to begin."""
        place = 0
        for word in cue.words:
            found = cue.line.find(word.text, place, place + len(word.text) + FARTHEST)
            if word.text and found >= 0:
                place = found + len(word.text)
                self.word_starts.add(found)
                self._know(found, round(word.start * 1000))
                self._know(place, round(word.end * 1000))
        self._know(len(cue.line), cue.end_ms)

    def start(self, place: int) -> int:
        """Return when what begins at `place` begins."""
        after = bisect_right(self._places, place)
        return self._times[after - 1] if self._places[after - 1] == place else self._between(after, place)

    def end(self, place: int) -> int:
        """Return when what ends at `place` ends."""
        after = bisect_left(self._places, place)
        return self._times[after] if self._places[after] == place else self._between(after, place)

    def _know(self, place: int, time: int) -> None:
        self._places.append(place)
        self._times.append(max(min(time, self._latest), self._times[-1]))

    def _between(self, after: int, place: int) -> int:
        (left, right), (early, late) = self._places[after - 1 : after + 1], self._times[after - 1 : after + 1]
        return early + (late - early) * (place - left) // (right - left)
