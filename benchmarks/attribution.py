"""Speaker-attributed word errors: the concatenated minimum-permutation word error rate (cpWER).

Watanabe et al. 2020, "CHiME-6 Challenge": each speaker's words are concatenated, and speakers are mapped so that errors
are minimal. A word under the wrong speaker counts twice, as a deletion and an insertion. Computed by `meeteval`. Words
without a speaker are grouped under a name of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.scoring import words_of
from inference.audio import SAMPLE_RATE
from inference.diarization.turns import SpeakerTurn
from inference.diarization.word_assignment import label_words
from inference.speech.recording import caption_recording
from inference.speech.session import CaptionSession, SessionConfig
from inference.types import FinalCaption, Word

if TYPE_CHECKING:
    from meeteval.wer import CPErrorRate

    from inference.speech.engine import Engine

NOBODY = "?"


def captioned_words(samples: np.ndarray, engine: Engine) -> list[tuple[Word, ...]]:
    """Return the words of each final caption of English float32 `samples`."""
    blocks = np.split(samples, range(SAMPLE_RATE, len(samples), SAMPLE_RATE))
    events = caption_recording(blocks, CaptionSession(SessionConfig("en")), engine)
    return [event.words for event in events if isinstance(event, FinalCaption)]


def spoken_words(path: Path, limit_s: float) -> dict[str, str]:
    """Return each speaker's words in the turns of a NIST STM file that begin before `limit_s`."""
    rows = (line.split(maxsplit=5) for line in path.read_text(encoding="utf-8").splitlines())
    turns = sorted((float(row[3]), row[2], row[5]) for row in rows if float(row[3]) < limit_s)
    return _joined((speaker, words_of(text)) for _, speaker, text in turns)


def attributed_words(captions: Iterable[Sequence[Word]], turns: Sequence[SpeakerTurn]) -> dict[str, str]:
    """Return each speaker's words in `captions`, assigned by `turns` as in a meeting."""
    runs = (run for words in captions for run in label_words(words, turns))
    return _joined((run.speaker or NOBODY, words_of(" ".join(word.text for word in run.words))) for run in runs)


def count_errors(reference: Mapping[str, str], hypothesis: Mapping[str, str]) -> CPErrorRate:
    """Return the errors of one recording; `+` adds those of several."""
    from meeteval.wer import cp_word_error_rate

    return cp_word_error_rate(dict(reference), dict(hypothesis) or {NOBODY: ""})


def _joined(said: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for speaker, words in said:
        texts.setdefault(speaker, []).extend(words)
    return {speaker: " ".join(words) for speaker, words in texts.items()}
