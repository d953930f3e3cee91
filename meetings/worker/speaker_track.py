"""The diarization state of one meeting: audio in, speaker turns out.

The caption thread adds audio (`hear`, `rest`, `expect`); the speakers' thread processes it (`listen`, `conclude`). The
two share only a queue. Voice prints stay in the tracker's memory and are never stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import CELL, Listener
from inference.diarization.tracker import BEHIND, SpeakerTracker, WindowRequest
from inference.diarization.turns import SpeakerTurn, SpeakerTurns

KNOWN_AGAIN_S = 1.0
"""Seconds that a voice must overlap with a known speaker's captions to be matched to that speaker."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What a worker that takes a meeting over reads from the rows."""

    speakers: int = 0
    """The highest speaker number in use."""
    turns: tuple[SpeakerTurn, ...] = ()
    """Labelled captions of the audio that is still in the log."""


class _Rest:
    """Queue item: no audio follows for now, so label the latest audio too."""


class SpeakerTrack:
    """One meeting's speaker tracker and its queue. The tracker starts at the first audio.

    After a takeover that is a minute before the cursor: voices in that minute are matched to the captions already
    labelled, so speakers keep their ids through a crash although no voice print is stored.
    """

    def __init__(self, memory: ResumeState, expected: int | None, *, behind: int = BEHIND) -> None:
        """`behind`: backlog in samples above which the tracker skips audio."""
        self._memory = memory
        self._behind = behind
        self._hint = _hint(expected)
        self._queue: deque[np.ndarray | _Rest | SpeakerHint] = deque()
        self._tracker: SpeakerTracker | None = None
        self._place = 0
        self._rests = False
        self._turns: tuple[SpeakerTurn, ...] = ()
        self._known_until = max((turn.end for turn in memory.turns), default=0.0)
        self._ids: dict[str, str] | None = None if memory.turns else {}
        """The tracker's ids to the meeting's; None until they are matched."""
        self._news_from: float | None = None

    # -- the caption thread ------------------------------------------------------------------------------------------

    def hear(self, samples: np.ndarray, start: int) -> None:
        """Add float32 mono samples at SAMPLE_RATE, shape (n,); the first is at `start`. Gaps become silence."""
        if self._tracker is None:
            first = -(-start // CELL) * CELL
            self._tracker = SpeakerTracker(
                self._hint, start=first, first_number=self._memory.speakers, behind=self._behind
            )
            self._place = first
        if start > self._place:
            self._queue.append(np.zeros(start - self._place, np.float32))
            self._place = start
        behind = self._place - start
        if len(samples) > behind:
            self._queue.append(samples[behind:])
            self._place = start + len(samples)

    def rest(self) -> None:
        """Note that no audio follows for now."""
        self._queue.append(_Rest())

    def expect(self, speakers: int | None) -> None:
        """Set the expected number of speakers; None to detect it."""
        self._queue.append(_hint(speakers))

    def waiting_s(self) -> float:
        """Return the seconds of audio that no window has reached yet."""
        heard_s = self._tracker.waiting_s - self._tracker.received / SAMPLE_RATE if self._tracker else 0.0
        return max(0.0, self._place / SAMPLE_RATE + heard_s)

    # -- the speakers' thread ----------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> bool:
        """Process one window; return whether there was one."""
        request = self._next_window()
        if self._tracker is None or request is None:
            return False
        self._note(self._tracker.accept(request, listener.listen(request.audio), is_end=self._rests))
        return True

    def has_window(self) -> bool:
        """Return whether a window is ready, to avoid waking the models for nothing."""
        return self._next_window() is not None

    def conclude(self) -> SpeakerTurns | None:
        """Return the turns of the whole audio, clustered once more after the last window. Wipes every voice print."""
        if self._tracker is None:
            return None
        self._settle_ids()
        found = self._tracker.conclude()
        return SpeakerTurns(max(found.start, self._known_until), found.end, self._named(found.turns))

    def take_news(self) -> SpeakerTurns | None:
        """Return the turns from the first change since the last call, or None if nothing changed."""
        if self._tracker is None or self._news_from is None or not self._is_known_again(self._tracker):
            return None
        news = SpeakerTurns(self._news_from, self._tracker.labelled_s, self._named(self._turns))
        self._news_from = None
        return news

    def ask_again(self) -> None:
        """Note new captions, which may belong to audio that was labelled before."""
        if self._tracker is not None and self._news_from is None:
            self._news_from = self._tracker.labelled_s

    def _next_window(self) -> WindowRequest | None:
        """Return the next window, the same one until it is processed. Reads from the queue only as far as needed."""
        if self._tracker is None:
            return None
        while (request := self._tracker.request(is_end=self._rests)) is None:
            self._rests = False
            if not self._take_in(self._tracker):
                return None
        return request

    def _take_in(self, tracker: SpeakerTracker) -> bool:
        """Feed the queue to the tracker, up to the next rest; return whether there was anything."""
        is_empty = not self._queue
        while self._queue and not self._rests:
            match self._queue.popleft():
                case _Rest():
                    self._rests = True
                case SpeakerHint() as hint:
                    tracker.hint = hint
                case samples:
                    tracker.feed(samples)
        return not is_empty

    def _note(self, found: SpeakerTurns | None) -> None:
        if found is None or found.start >= found.end:
            return
        earlier = (_until(turn, found.start) for turn in self._turns if turn.start < found.start)
        self._turns = (*earlier, *found.turns)
        self._news_from = found.start if self._news_from is None else min(self._news_from, found.start)

    def _is_known_again(self, tracker: SpeakerTracker) -> bool:
        """Return whether the ids are final. After a takeover, the labelled captions must be processed first."""
        if self._ids is None and tracker.labelled_s < self._known_until:
            return False
        self._settle_ids()
        return True

    def _settle_ids(self) -> None:
        if self._ids is None:
            self._ids = match_known_speakers(self._turns, self._memory.turns)
            self._news_from = self._known_until

    def _named(self, turns: Sequence[SpeakerTurn]) -> tuple[SpeakerTurn, ...]:
        ids = self._ids or {}
        return tuple(
            SpeakerTurn(turn.start, turn.end, ids.get(turn.speaker, turn.speaker) if turn.speaker else None)
            for turn in turns
        )


def match_known_speakers(turns: Sequence[SpeakerTurn], known: Sequence[SpeakerTurn]) -> dict[str, str]:
    """Map each speaker of `turns` to the one of `known` with the most overlap; each of those is used once."""
    shared: dict[tuple[str, str], float] = {}
    for turn in turns:
        for said in known:
            seconds = min(turn.end, said.end) - max(turn.start, said.start)
            if turn.speaker and said.speaker and seconds > 0:
                key = (turn.speaker, said.speaker)
                shared[key] = shared.get(key, 0.0) + seconds
    ids: dict[str, str] = {}
    for (found, label), seconds in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if seconds >= KNOWN_AGAIN_S and found not in ids and label not in ids.values():
            ids[found] = label
    return ids


def _until(turn: SpeakerTurn, end: float) -> SpeakerTurn:
    return SpeakerTurn(turn.start, min(turn.end, end), turn.speaker)


def _hint(speakers: int | None) -> SpeakerHint:
    return SpeakerHint(minimum=speakers, maximum=speakers) if speakers else SpeakerHint()
