"""Share what live meetings leave among recordings: which to take, which files to read, whose utterance comes next.

Short recordings and those that a program waits for come first (weighted shortest remaining time). A part of the turns
goes to the recording that has waited longest, so that a long one always goes on. What is decided here changes when
captions appear and never what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

BRIEF_S = 120.0
"""A recording with no more than this to caption takes no place from a longer one."""

UNKNOWN_S = 30.0
"""Seconds supposed to be left of a file that does not say how long it is, at least."""

AWAITED_WEIGHT = 0.1
"""A second that a program waits for counts as this many."""

TURNS_A_ROUND = 4
"""One turn of so many goes to the recording that has waited longest."""

TENURE_S = 300.0
"""How long a recording that got its place by waiting keeps it: opening a file again decodes it from its beginning."""

MOST_HELD = 24
"""Recordings of a worker that have begun. Each takes about 4 MB in the broker and as much in the worker."""

MOST_HELD_EACH = 12
"""The same of one person."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of one recording."""

    key: str
    owner: int | None = None
    """The account that it belongs to."""
    is_awaited: bool = False
    """Whether a program waits for the text."""
    left_s: float = UNKNOWN_S
    """Seconds of audio without captions."""
    waited: float = 0.0
    """Turns or seconds since it last had its turn or place."""

    @property
    def is_brief(self) -> bool:
        return self.is_awaited or self.left_s <= BRIEF_S


def left_s(length_s: float | None, captioned_s: float) -> float:
    """Return the seconds to caption. Of a file that does not say, as much is left as was captioned."""
    return max(UNKNOWN_S, captioned_s) if length_s is None else max(0.0, length_s - captioned_s)


def by_urgency(recordings: Iterable[Recording]) -> list[Recording]:
    """Sort by weighted remaining time, the most urgent first. Those of a person with many count for less."""
    found = list(recordings)
    of_owner = Counter(recording.owner for recording in found)

    def weighted_s(recording: Recording) -> tuple[float, str]:
        weight = AWAITED_WEIGHT if recording.is_awaited else 1.0
        return recording.left_s * weight * of_owner[recording.owner], recording.key

    return sorted(found, key=weighted_s)


def next_batch(recordings: Sequence[Recording], *, turn: int, places: int) -> list[str]:
    """Return the recordings whose next utterance is decoded, `places` at most, each once.

    Args:
        recordings: Those with an utterance to decode.
        turn: The number of turns so far. While a brief one waits, longer ones have one turn of TURNS_A_ROUND.
    """
    ranked = by_urgency(recordings)
    if ranked and turn % TURNS_A_ROUND == 0:
        oldest = max(ranked, key=lambda recording: recording.waited)
        ranked.remove(oldest)
        ranked.insert(0, oldest)
    first, others = ranked[:1], ranked[1:]
    if any(recording.is_brief for recording in recordings):
        others = [recording for recording in others if recording.is_brief]
    return [recording.key for recording in [*first, *others][:places]]


def crowding_owners(held: Iterable[Recording]) -> set[int]:
    """Return the accounts that have MOST_HELD_EACH of the recordings."""
    of_owner = Counter(recording.owner for recording in held)
    return {owner for owner, count in of_owner.items() if owner is not None and count >= MOST_HELD_EACH}


def to_take(waiting: Sequence[Recording], held: Sequence[Recording], *, places: int) -> str | None:
    """Return the recording that a worker takes next, or None to leave them to other workers.

    Args:
        waiting: Those that no worker has taken, the oldest first.
        held: Those of this worker.
        places: Files of brief ones, and of longer ones, that are read at once.
    """
    of_owner = Counter(recording.owner for recording in held)
    allowed = [recording for recording in waiting if of_owner[recording.owner] < MOST_HELD_EACH]
    if not allowed or len(held) >= MOST_HELD:
        return None
    longer = [recording for recording in held if not recording.is_brief]
    if len(longer) < places:
        return allowed[0].key
    urgent = by_urgency(allowed)[0]
    is_shorter = urgent.left_s * 2 <= max(recording.left_s for recording in longer)
    return urgent.key if urgent.is_brief or is_shorter else None


class Turns:
    """Whose turn it is in one stage. Use it in that stage's thread only."""

    def __init__(self) -> None:
        self._turn = 0
        self._had_at: dict[str, int] = {}

    def next(self, recordings: Sequence[Recording], *, places: int) -> list[str]:
        """Take a turn: return what `next_batch` does."""
        self._turn += 1
        self._had_at = {one.key: self._had_at.get(one.key, self._turn) for one in recordings}
        waited = [replace(one, waited=self._turn - self._had_at[one.key]) for one in recordings]
        batch = next_batch(waited, turn=self._turn, places=places)
        self._had_at |= dict.fromkeys(batch, self._turn)
        return batch


class Places:
    """The files that are read: `places` of brief recordings, and as many of longer ones.

    Of each kind all but one go to the most urgent, and the last to whichever has waited longest, for TENURE_S.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._had_at: dict[str, float] = {}
        self._by_waiting: dict[str, float] = {}
        """When each of the recordings that have their place by waiting got it."""

    def choose(self, recordings: Sequence[Recording], now: float) -> set[str]:
        """Return the recordings to read from at `now` (seconds of a clock that never goes back)."""
        self._had_at = {one.key: self._had_at.get(one.key, now) for one in recordings}
        self._by_waiting = {key: at for key, at in self._by_waiting.items() if now - at < TENURE_S}
        waited = [replace(one, waited=now - self._had_at[one.key]) for one in recordings]
        brief = self._chosen([one for one in waited if one.is_brief], now)
        longer = self._chosen([one for one in waited if not one.is_brief], now)
        chosen = {one.key for one in [*brief, *longer]}
        self._had_at |= dict.fromkeys(chosen, now)
        self._by_waiting = {key: at for key, at in self._by_waiting.items() if key in chosen}
        return chosen

    def _chosen(self, recordings: Sequence[Recording], now: float) -> list[Recording]:
        if len(recordings) <= self._places:
            return list(recordings)
        ranked = by_urgency(recordings)
        first, rest = ranked[: self._places - 1], ranked[self._places - 1 :]
        kept = [one for one in rest if one.key in self._by_waiting]
        last = kept[0] if kept else max(rest, key=lambda one: one.waited)
        self._by_waiting.setdefault(last.key, now)
        return [*first, last]
