"""Map new turns to the speaker ids already shown."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.diarization.turns import SpeakerTurn, speaker_name


def keep_ids(
    turns: Sequence[SpeakerTurn], known: Sequence[SpeakerTurn], *, next_number: int
) -> tuple[SpeakerTurn, ...]:
    """Return `turns` with the ids of `known`, which are earlier turns of the same period.

    Each speaker of `turns` gets the id with which it shares most time, and no two speakers the same one (Kuhn-Munkres
    on the shared seconds, like the speaker mapping of the diarization error rate). Speakers without shared time are
    numbered from `next_number` in order of appearance, so that no id is reused for another person.
    """
    from scipy.optimize import linear_sum_assignment

    new, old = _speakers(turns), _speakers(known)
    shared = _shared_seconds(turns, known, new, old)
    pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
    ids = {new[row]: old[column] for row, column in pairs if shared[row, column] > 0}
    strangers = [speaker for speaker in new if speaker not in ids]
    ids |= {speaker: f"{speaker_name(next_number + index)}" for index, speaker in enumerate(strangers)}
    return tuple(replace(turn, speaker=ids[turn.speaker]) if turn.speaker else turn for turn in turns)


def _speakers(turns: Sequence[SpeakerTurn]) -> list[str]:
    """Return all named speakers in order of appearance."""
    return list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))


def _shared_seconds(
    turns: Sequence[SpeakerTurn], known: Sequence[SpeakerTurn], new: Sequence[str], old: Sequence[str]
) -> np.ndarray:
    """Return the seconds that each of `new` shares with each of `old`, as float of shape (len(new), len(old))."""
    shared = np.zeros((len(new), len(old)))
    by_start = sorted((turn for turn in known if turn.speaker), key=lambda turn: turn.start)
    starts = [turn.start for turn in by_start]
    longest = max((turn.end - turn.start for turn in by_start), default=0.0)
    for turn in turns:
        if not turn.speaker:
            continue
        near = by_start[bisect_left(starts, turn.start - longest) : bisect_left(starts, turn.end)]
        for other in near:
            seconds = min(turn.end, other.end) - max(turn.start, other.start)
            shared[new.index(turn.speaker), old.index(other.speaker or "")] += max(0.0, seconds)
    return shared
