"""Assign words to speakers: split a caption's words where the speaker changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.diarization.turns import SpeakerTurn
from inference.types import Word

SWITCH_S = 0.3
"""Seconds of overlap that a speaker change must gain; word times and turns have errors of about this size."""

SENTENCE_SWITCH_S = 0.1
"""The same after the end of a sentence, where speakers do change."""

UNSURE_WEIGHT = 0.5
"""Weight of an unknown speaker, so that a known one is preferred where both could have spoken."""

SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")


@dataclass(frozen=True, slots=True)
class SpeakerSegment:
    """Consecutive words of one speaker."""

    speaker: str | None
    """None if the speaker is unknown."""
    words: tuple[Word, ...]


def label_words(words: Sequence[Word], turns: Sequence[SpeakerTurn]) -> tuple[SpeakerSegment, ...]:
    """Split `words` into runs of one speaker each, in order and without loss.

    The labelling with the largest overlap between words and turns, minus a penalty for each change, is found by the
    Viterbi algorithm, so single words do not flip. Words outside all turns go with their neighbours.
    """
    if not words:
        return ()
    speakers = _speakers(turns)
    return _runs(words, [speakers[choice] for choice in _best_path(words, turns, speakers)])


def _speakers(turns: Sequence[SpeakerTurn]) -> list[str | None]:
    """Return all speakers named in `turns`, by their first turn; unknown last, so that it loses ties."""
    ordered = sorted(turns, key=lambda turn: turn.start)
    return [*dict.fromkeys(turn.speaker for turn in ordered if turn.speaker), None]


def _best_path(words: Sequence[Word], turns: Sequence[SpeakerTurn], speakers: Sequence[str | None]) -> list[int]:
    """Return the index of each word's speaker."""
    rows = [[_overlap(word, speaker, turns) for speaker in speakers] for word in words]
    scores, origins = rows[0], []
    for before, row in zip(words, rows[1:], strict=False):
        best = max(range(len(speakers)), key=lambda index: scores[index])
        change = scores[best] - (SENTENCE_SWITCH_S if before.text.endswith(SENTENCE_END) else SWITCH_S)
        origins.append([index if score >= change else best for index, score in enumerate(scores)])
        scores = [max(score, change) + overlap for score, overlap in zip(scores, row, strict=True)]
    path = [max(range(len(speakers)), key=lambda index: scores[index])]
    for origin in reversed(origins):
        path.append(origin[path[-1]])
    return path[::-1]


def _overlap(word: Word, speaker: str | None, turns: Sequence[SpeakerTurn]) -> float:
    """Return the seconds of `word` during which `speaker` speaks, weighted for an unknown speaker."""
    mine = (turn for turn in turns if turn.speaker == speaker)
    seconds = sum(max(0.0, min(word.end, turn.end) - max(word.start, turn.start)) for turn in mine)
    return seconds if speaker else UNSURE_WEIGHT * seconds


def _runs(words: Sequence[Word], speakers: Sequence[str | None]) -> tuple[SpeakerSegment, ...]:
    runs: list[SpeakerSegment] = []
    for word, speaker in zip(words, speakers, strict=True):
        if runs and runs[-1].speaker == speaker:
            runs[-1] = SpeakerSegment(speaker, (*runs[-1].words, word))
        else:
            runs.append(SpeakerSegment(speaker, (word,)))
    return tuple(runs)
