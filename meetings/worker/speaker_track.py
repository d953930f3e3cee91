"""One meeting's voices as its worker holds them: sound in, and for the captions who spoke when.

The caption thread brings sound (`hear`, `rest`, `expect`), the speakers' thread listens (`listen`, `conclude`); the two
share a queue and nothing else. Voice prints stay in the tracker's memory and die with it.
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
from meetings.store.speakers import LabelledCaption

KNOWN_AGAIN_S = 1.0
"""Seconds that a voice must speak in lines of a known speaker to be that speaker again."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What the rows tell a worker that takes a meeting over."""

    speakers: int = 0
    """The highest number given to a speaker."""
    lines: tuple[LabelledCaption, ...] = ()
    """Who is said to have spoken in the sound that can still be heard."""


class _Rest:
    """In the queue: nothing follows for now, so what was heard last is labelled too."""


class SpeakerTrack:
    """See the module. The tracker starts at the first sound that it gets, a minute before the captions go on.

    A worker that takes a meeting over hears that minute again: who spoke in lines that are labelled is known again by
    them, so people keep their ids through a crash although no voice print is stored.
    """

    def __init__(self, memory: ResumeState, expected: int | None, *, behind: int = BEHIND) -> None:
        """`behind`: samples above which the tracker skips."""
        self._memory = memory
        self._behind = behind
        self._hint = _hint(expected)
        self._queue: deque[np.ndarray | _Rest | SpeakerHint] = deque()
        self._tracker: SpeakerTracker | None = None
        self._place = 0
        self._rests = False
        self._turns: tuple[SpeakerTurn, ...] = ()
        self._known_until = max((line.end for line in memory.lines), default=0.0)
        self._ids: dict[str, str] | None = None if memory.lines else {}
        """The tracker's ids to the meeting's; None until that is found out."""
        self._news_from: float | None = None

    # -- the caption thread ------------------------------------------------------------------------------------------

    def hear(self, samples: np.ndarray, start: int) -> None:
        """Takes float32 mono samples at SAMPLE_RATE, shape (n,); the first is at `start`. What was lost is silence."""
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
        """Nothing follows for now."""
        self._queue.append(_Rest())

    def expect(self, speakers: int | None) -> None:
        """As many people speak; None: find out."""
        self._queue.append(_hint(speakers))

    def waiting_s(self) -> float:
        """Seconds of sound that no window has reached yet."""
        heard_s = self._tracker.waiting_s - self._tracker.received / SAMPLE_RATE if self._tracker else 0.0
        return max(0.0, self._place / SAMPLE_RATE + heard_s)

    # -- the speakers' thread ----------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> bool:
        """Listens to one window, if there is one."""
        request = self._next_window()
        if self._tracker is None or request is None:
            return False
        self._note(self._tracker.accept(request, listener.listen(request.audio), is_end=self._rests))
        return True

    def has_window(self) -> bool:
        """Whether there is one to listen to: nobody needs the models otherwise."""
        return self._next_window() is not None

    def conclude(self) -> SpeakerTurns | None:
        """After the last window: who spoke in all that was heard, judged together. Wipes every voice print."""
        if self._tracker is None:
            return None
        self._settle_ids()
        found = self._tracker.conclude()
        return SpeakerTurns(max(found.start, self._known_until), found.end, self._named(found.turns))

    def take_news(self) -> SpeakerTurns | None:
        """All turns so far, told anew from where something has changed since the last time; None when nothing has."""
        if self._tracker is None or self._news_from is None or not self._is_known_again(self._tracker):
            return None
        news = SpeakerTurns(self._news_from, self._tracker.labelled_s, self._named(self._turns))
        self._news_from = None
        return news

    def ask_again(self) -> None:
        """There are new captions, maybe of what was labelled before they came."""
        if self._tracker is not None and self._news_from is None:
            self._news_from = self._tracker.labelled_s

    def _next_window(self) -> WindowRequest | None:
        """The same one until it was listened to. Takes in what came only as far as that needs."""
        if self._tracker is None:
            return None
        while (request := self._tracker.request(is_end=self._rests)) is None:
            self._rests = False
            if not self._take_in(self._tracker):
                return None
        return request

    def _take_in(self, tracker: SpeakerTracker) -> bool:
        """Hands over what came, up to the next rest; says whether there was anything."""
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
        """Whether the ids are settled; those of a meeting taken over are once the labelled lines are heard again."""
        if self._ids is None and tracker.labelled_s < self._known_until:
            return False
        self._settle_ids()
        return True

    def _settle_ids(self) -> None:
        if self._ids is None:
            self._ids = match_known_speakers(self._turns, self._memory.lines)
            self._news_from = self._known_until

    def _named(self, turns: Sequence[SpeakerTurn]) -> tuple[SpeakerTurn, ...]:
        ids = self._ids or {}
        return tuple(
            SpeakerTurn(turn.start, turn.end, ids.get(turn.speaker, turn.speaker) if turn.speaker else None)
            for turn in turns
        )


def match_known_speakers(turns: Sequence[SpeakerTurn], lines: Sequence[LabelledCaption]) -> dict[str, str]:
    """The speaker of `lines` for each speaker of `turns` who mostly speaks in that one's lines; each of them once."""
    shared: dict[tuple[str, str], float] = {}
    for turn in turns:
        for line in lines:
            seconds = min(turn.end, line.end) - max(turn.start, line.start)
            if turn.speaker and seconds > 0:
                key = (turn.speaker, line.speaker)
                shared[key] = shared.get(key, 0.0) + seconds
    ids: dict[str, str] = {}
    for (found, known), seconds in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if seconds >= KNOWN_AGAIN_S and found not in ids and known not in ids.values():
            ids[found] = known
    return ids


def _until(turn: SpeakerTurn, end: float) -> SpeakerTurn:
    return SpeakerTurn(turn.start, min(turn.end, end), turn.speaker)


def _hint(speakers: int | None) -> SpeakerHint:
    return SpeakerHint(minimum=speakers, maximum=speakers) if speakers else SpeakerHint()
