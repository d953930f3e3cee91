"""Transcription of a recorded file, for the command line and for benchmarks.

Three threads share the cores: recognition, diarization of the same audio, and translation of finished captions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.background import BackgroundDiarization
from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import Listener
from inference.diarization.turns import SpeakerTurn
from inference.diarization.word_assignment import label_words
from inference.speech.engine import Engine
from inference.speech.recorded_file import Sound
from inference.speech.recording import caption_recording
from inference.speech.session import CaptionSession, SessionConfig
from inference.summarization.summary import Summary
from inference.translation.background import BackgroundTranslation
from inference.translation.translator import Translator
from inference.types import FinalCaption
from meetings.export.cues import Cue, CueSpeaker
from meetings.export.formats import cue_object, speaker_objects
from meetings.export.summary import SummaryDocument
from meetings.store.speakers import divided_text

AudioProgress = Callable[[float], object]
"""Called with the seconds of audio processed since the last call."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models in use."""

    engine: Engine
    listener: Listener | None = None
    """None: no diarization."""
    translator: Translator | None = None
    """None: no translation."""
    without: str = ""
    """Sentence about a model that was wanted and cannot be used; empty: none."""


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """Options of a transcription."""

    session: SessionConfig
    targets: tuple[str, ...] = ()
    """Languages to translate into; captions already in one, or that cannot be translated into it, are left out."""
    speakers: SpeakerHint | None = None


@dataclass(frozen=True, slots=True)
class Transcription:
    """The result for one recording, with timings."""

    cues: list[Cue]
    language: str | None
    """As given, else the most spoken one; None: nothing was said."""
    audio_s: float
    elapsed_s: float
    """Seconds from the first sample to the last caption, without loading."""
    stages: dict[str, float]
    """Seconds by stage: `audio` (reading, voice activity detection), `asr` (recognition), `speakers` (diarization),
    `translation`, `summary`. All but the last run concurrently, so their sum may exceed `elapsed_s`; the last follows
    them and is not part of it.
    """
    summary: Summary | None = None
    """None: there is no summary."""
    missing_s: float | None = 0.0
    """Seconds of the recording that could not be read; None: it breaks off, and the rest is unknown."""
    sound: Sound = Sound.SPEECH
    """What the recording holds."""

    @property
    def rtf(self) -> float:
        """Real-time factor: seconds elapsed per second of audio."""
        return self.elapsed_s / self.audio_s if self.audio_s else 0.0


def transcribe_recording(
    blocks: Iterable[np.ndarray],
    models: Models,
    wishes: TranscriptionOptions,
    *,
    advance: AudioProgress = lambda _: None,
) -> Transcription:
    """Caption float32 blocks at SAMPLE_RATE; at most two minutes of audio are buffered. Raises errors of the models."""
    clock = _AudioClock(blocks, advance)
    with ExitStack() as stack:
        diarization = translation = None
        if models.translator and wishes.targets:
            vocabulary = wishes.session.vocabulary
            background = BackgroundTranslation(models.translator, wishes.targets, vocabulary=vocabulary)
            translation = stack.enter_context(background)
        if models.listener:
            diarization = stack.enter_context(BackgroundDiarization(models.listener, wishes.speakers))
        return _Work(clock, models.engine, wishes.session, diarization, translation).transcription()


def transcription_object(transcription: Transcription, *, digest: SummaryDocument | None = None) -> dict[str, Any]:
    """Return the JSON form, with the summary from `digest`."""
    return {
        "audio_s": round(transcription.audio_s, 3),
        "missing_s": None if transcription.missing_s is None else round(transcription.missing_s, 3),
        "language": transcription.language,
        "rtf": round(transcription.rtf, 4),
        "stages": {stage: round(seconds, 3) for stage, seconds in transcription.stages.items()},
        "captions": [cue_object(cue) for cue in transcription.cues],
        "speakers": speaker_objects(transcription.cues),
        "summary": digest.message if digest else None,
        **({} if transcription.cues else {"nothing_heard": transcription.sound.value}),
    }


def spoken_cues(finals: Iterable[FinalCaption], turns: Sequence[SpeakerTurn] | None) -> list[Cue]:
    """Return the captions, numbered, and divided where the speaker changes; without `turns`, they have no speakers."""
    if turns is None:
        parts = [_cue(final) for final in finals]
    else:
        parts = [cue for final in finals for cue in _divided(final, turns)]
    return [replace(cue, seq=seq) for seq, cue in enumerate(parts, start=1)]


def _divided(final: FinalCaption, turns: Sequence[SpeakerTurn]) -> list[Cue]:
    near = [turn for turn in turns if turn.end > final.start and turn.start < final.end]
    runs = label_words(final.words, near)
    texts = divided_text(final.text, runs, final.language)
    return [
        replace(
            _cue(final),
            start=run.words[0].start,
            end=run.words[-1].end,
            text=text,
            words=run.words,
            speaker=CueSpeaker(run.speaker),
        )
        for run, text in zip(runs, texts, strict=True)
    ]


def _cue(final: FinalCaption) -> Cue:
    return Cue(0, final.start, final.end, final.text, final.language, words=final.words)


@dataclass(slots=True)
class _Work:
    """The processing of one recording."""

    clock: _AudioClock
    engine: Engine
    session: SessionConfig
    diarization: BackgroundDiarization | None
    translation: BackgroundTranslation | None

    def transcription(self) -> Transcription:
        started = time.perf_counter()
        decoding_before = self.engine.timings.compute_s
        finals = list(self._finals())
        decoding = self.engine.timings.compute_s - decoding_before
        stages = {"audio": time.perf_counter() - started - decoding, "asr": decoding}
        turns = self._turns(stages)
        cues = self._translated(spoken_cues(finals, turns), stages)
        return Transcription(
            cues=cues,
            language=self.session.language or _most_spoken(finals),
            audio_s=self.clock.samples / SAMPLE_RATE,
            elapsed_s=time.perf_counter() - started,
            stages=stages,
        )

    def _finals(self) -> Iterator[FinalCaption]:
        blocks = self.diarization.overhear(self.clock) if self.diarization else self.clock
        for event in caption_recording(blocks, CaptionSession(self.session), self.engine):
            if isinstance(event, FinalCaption):
                if self.translation:
                    self.translation.begin(event.text, event.language)
                yield event

    def _turns(self, stages: dict[str, float]) -> tuple[SpeakerTurn, ...] | None:
        if self.diarization is None:
            return None
        turns, stages["speakers"] = self.diarization.turns()
        stages["audio"] -= self.diarization.held_up_s
        return turns

    def _translated(self, cues: list[Cue], stages: dict[str, float]) -> list[Cue]:
        """Translate the parts of divided captions; translation of all others has already begun."""
        if self.translation is None:
            return cues
        for cue in cues:
            self.translation.begin(cue.text, cue.language)
        translated = [replace(cue, translations=self.translation.finish(cue.text, cue.language)) for cue in cues]
        stages["translation"] = self.translation.compute_s
        return translated


class _AudioClock:
    """Passes blocks through and counts their samples."""

    def __init__(self, blocks: Iterable[np.ndarray], advance: AudioProgress) -> None:
        self._blocks = blocks
        self._advance = advance
        self.samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            yield block
            self.samples += len(block)
            self._advance(len(block) / SAMPLE_RATE)


def _most_spoken(finals: list[FinalCaption]) -> str | None:
    seconds: dict[str, float] = defaultdict(float)
    for final in finals:
        seconds[final.language] += final.end - final.start
    return max(seconds, key=seconds.__getitem__, default=None)
