"""Meetings with references, and how far turns are from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.turns import SpeakerTurn

if TYPE_CHECKING:
    from pyannote.core import Annotation  # draws in matplotlib: three seconds, of every process that collects tests


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    samples: np.ndarray
    """float32 mono at SAMPLE_RATE."""
    turns: tuple[SpeakerTurn, ...]

    def only(self, turns: Iterable[SpeakerTurn], *, pause: int) -> Meeting:
        """Those of its turns alone, one after the other, with `pause` samples of silence after each."""
        pieces, moved, at = [], [], 0
        for turn in turns:
            piece = self.samples[round(turn.start * SAMPLE_RATE) : round(turn.end * SAMPLE_RATE)]
            moved.append(replace(turn, start=at / SAMPLE_RATE, end=(at + len(piece)) / SAMPLE_RATE))
            pieces += [piece, np.zeros(pause, np.float32)]
            at += len(piece) + pause
        return Meeting(np.concatenate(pieces), tuple(moved))


def join(meetings: Iterable[Meeting]) -> Meeting:
    """One after the other."""
    pieces, turns, at = [], [], 0
    for meeting in meetings:
        seconds = at / SAMPLE_RATE
        turns += [replace(turn, start=turn.start + seconds, end=turn.end + seconds) for turn in meeting.turns]
        pieces.append(meeting.samples)
        at += len(meeting.samples)
    return Meeting(np.concatenate(pieces), tuple(turns))


def read_turns(path: Path) -> tuple[SpeakerTurn, ...]:
    """Turns of a NIST RTTM file."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(SpeakerTurn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows)


def confusion(reference: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]) -> float:
    """The part of the speech that is given to somebody else; no collar, overlap counts."""
    from pyannote.metrics.diarization import DiarizationErrorRate  # draws in pandas and matplotlib: two seconds

    measured = DiarizationErrorRate(collar=0.0)(annotation(reference), annotation(turns), detailed=True)
    return float(measured["confusion"] / measured["total"])


def annotation(turns: Iterable[SpeakerTurn]) -> Annotation:
    """For pyannote's metrics; a turn of nobody in particular is left out."""
    from pyannote.core import Annotation, Segment

    result = Annotation()
    for index, turn in enumerate(turns):
        if turn.speaker:
            result[Segment(turn.start, turn.end), index] = turn.speaker
    return result
