"""Sounds without words: the words that are invented in five minutes of each kind, with the language detected.

The folder has one folder for each kind of sound (music, applause, …). Its recordings follow each other until five
minutes are full, from the second time on louder or softer, a little faster or slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from inference.speech.engine import Engine
from inference.speech.recording import caption_recording
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.whisper import CTranslate2Transcriber
from inference.types import FinalCaption
from meetings.environment import Environment

SECONDS = 300
LONGEST_S = 75
"""Of each recording, so that several are heard."""


def run(*, audio: Path, model: Path | None = None) -> dict[str, Any]:
    """Return the words by kind, and what they were."""
    folder = model or ensure_model(find_model("whisper-base"), Environment.read().models)
    engine = Engine(CTranslate2Transcriber(folder))
    return {kind.name: _invented(kind, engine) for kind in sorted(audio.iterdir()) if kind.is_dir()}


def table(figures: dict[str, Any]) -> str:
    """Return the figures as text."""
    return "\n".join(f"{kind:<24} {row['words']} words" for kind, row in figures.items())


def _invented(kind: Path, engine: Engine) -> dict[str, Any]:
    clips = {path.stem: np.concatenate(list(decode_file(path))) for path in sorted(kind.iterdir())}
    finals_before = engine.timings.finals
    events = caption_recording(_five_minutes(list(clips.values())), CaptionSession(SessionConfig(None)), engine)
    texts = [event.text for event in events if isinstance(event, FinalCaption)]
    return {
        "recordings": list(clips),
        "seconds": SECONDS,
        "decodes": engine.timings.finals - finals_before,
        "words": sum(len(text.split()) for text in texts),
        "texts": texts,
    }


def _five_minutes(clips: list[np.ndarray]) -> Iterator[np.ndarray]:
    random, left = np.random.default_rng(0), SECONDS * SAMPLE_RATE
    for number, clip in enumerate(cycle(clips)):
        part = clip[: min(left, LONGEST_S * SAMPLE_RATE)]
        if number >= len(clips):
            part = resample_poly(part, 100, int(random.integers(85, 116)))[:left] * random.uniform(0.3, 1.0)
        yield part.astype(np.float32)
        left -= len(part)
        if left <= 0:
            return
