"""Transcription of a recorded file, for the command line and for benchmarks.

Three threads share the cores: recognition, diarization of the same audio, and translation of finished captions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.background import BackgroundDiarization
from inference.diarization.clustering import SpeakerHint
from inference.diarization.local_speakers import Listener
from inference.diarization.turns import SpeakerTurn, speaker_name
from inference.diarization.word_assignment import label_words
from inference.speech.engine import Engine
from inference.speech.recorded_file import Sound
from inference.speech.recording import caption_channels
from inference.speech.session import CaptionSession, SessionConfig
from inference.summarization.summary import Summary
from inference.translation.background import BackgroundTranslation
from inference.translation.translator import Translator
from inference.types import FinalCaption
from meetings.batch.second_pass import read_finals_again
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
class Channels:
    """Channels that are kept apart, because each is a speaker."""

    count: int
    loudness: Callable[[int, float, float], float]
    """Of a channel between two times in seconds."""


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
    `second_pass` (reading again), `translation`, `summary`. Speakers and translation run beside the others, so their
    sum may exceed `elapsed_s`; the summary follows them and is not part of it.
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
    again: Callable[[], Iterable[np.ndarray]] | None = None,
    advance: AudioProgress = lambda _: None,
    channels: Channels | None = None,
) -> Transcription:
    """Caption float32 blocks at SAMPLE_RATE; at most two minutes of audio are buffered. Raises errors of the models.

    Args:
        again: Returns the same blocks once more, for the second pass; None: there is none.
        channels: Each channel is a speaker, and blocks have the shape (channels, n).
    """
    clock = _AudioClock(blocks, advance)
    with ExitStack() as stack:
        diarization = translation = None
        if models.translator and wishes.targets:
            vocabulary = wishes.session.vocabulary
            background = BackgroundTranslation(models.translator, wishes.targets, vocabulary=vocabulary)
            translation = stack.enter_context(background)
        if models.listener and not channels:
            diarization = stack.enter_context(BackgroundDiarization(models.listener, wishes.speakers))
        return _Work(clock, models.engine, wishes.session, diarization, translation, channels, again).transcription()


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


def channel_cues(finals: Iterable[tuple[int, FinalCaption]]) -> list[Cue]:
    """Return the captions of all channels in the order of time, numbered; each channel is a speaker."""
    ordered = sorted(finals, key=lambda one: (one[1].start, one[0]))
    return [
        replace(_cue(final), seq=seq, speaker=CueSpeaker(speaker_name(channel)))
        for seq, (channel, final) in enumerate(ordered, start=1)
    ]


def without_crosstalk(
    finals: Sequence[tuple[int, FinalCaption]], loudness: Callable[[int, float, float], float]
) -> list[tuple[int, FinalCaption]]:
    """Drop the captions that repeat at the same time what a louder channel holds."""
    ordered = sorted(finals, key=lambda one: one[1].start)
    dropped: set[int] = set()
    for index, (channel, final) in enumerate(ordered):
        for other in range(index + 1, len(ordered)):
            beside_channel, beside = ordered[other]
            if beside.start >= final.end:
                break
            if beside_channel != channel and _says_the_same(final, beside):
                span = (beside.start, min(final.end, beside.end))
                first, second = loudness(channel, *span), loudness(beside_channel, *span)
                if max(first, second) >= CROSSTALK * min(first, second):
                    dropped.add(index if first < second else other)
    return [one for index, one in enumerate(ordered) if index not in dropped]


CROSSTALK = 1.4
"""How many times as loud a voice is on its own channel as on another that hears it."""

SAME = 0.6
"""Share of the words of the shorter caption that the other one holds too."""


def _says_the_same(one: FinalCaption, other: FinalCaption) -> bool:
    first, second = ([word.text.lower().strip(".,!?…") for word in final.words] for final in (one, other))
    shared = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(block.size for block in shared) >= SAME * max(1, min(len(first), len(second)))


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
    channels: Channels | None
    again: Callable[[], Iterable[np.ndarray]] | None

    def transcription(self) -> Transcription:
        started = time.perf_counter()
        decoding_before = self.engine.timings.compute_s
        finals = list(self._finals())
        decoding = self.engine.timings.compute_s - decoding_before
        stages = {"audio": time.perf_counter() - started - decoding, "asr": decoding}
        if self.again:
            begun = time.perf_counter()
            finals = read_finals_again(self.again(), finals, self.session, self.engine)
            stages["second_pass"] = time.perf_counter() - begun
        turns = self._turns(stages)
        cues = self._translated(self._cues(finals, turns), stages)
        return Transcription(
            cues=cues,
            language=self.session.language or _most_spoken(final for _, final in finals),
            audio_s=self.clock.samples / SAMPLE_RATE,
            elapsed_s=time.perf_counter() - started,
            stages=stages,
        )

    def _finals(self) -> Iterator[tuple[int, FinalCaption]]:
        """Yield the captions with their channels."""
        sessions = [CaptionSession(self.session) for _ in range(self.channels.count if self.channels else 1)]
        blocks = self.diarization.overhear(self.clock) if self.diarization else self.clock
        apart = blocks if self.channels else (block[np.newaxis] for block in blocks)
        for channel, event in caption_channels(apart, sessions, self.engine):
            if isinstance(event, FinalCaption):
                if self.translation and not self.again:
                    self.translation.begin(event.text, event.language)
                yield channel, event

    def _cues(self, finals: list[tuple[int, FinalCaption]], turns: Sequence[SpeakerTurn] | None) -> list[Cue]:
        if self.channels:
            return channel_cues(without_crosstalk(finals, self.channels.loudness))
        return spoken_cues((final for _, final in finals), turns)

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
            self.samples += block.shape[-1]
            self._advance(block.shape[-1] / SAMPLE_RATE)


def _most_spoken(finals: Iterable[FinalCaption]) -> str | None:
    seconds: dict[str, float] = defaultdict(float)
    for final in finals:
        seconds[final.language] += final.end - final.start
    return max(seconds, key=seconds.__getitem__, default=None)
