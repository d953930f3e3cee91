"""Read a recording again, with hindsight: longer stretches beside phrases, and in each the surer text.

Captions are decoded in phrases, because somebody waits for them. Afterwards the same audio is divided twice: into the
phrases, and into stretches that end at longer pauses, which give the model more context and sometimes lead it astray.
Each stretch gets the text with the higher mean log-probability. No I/O, clocks or models: the caller feeds audio, has
the requests decoded and passes back the hypotheses. The words are a pure function of the audio, the settings and the
languages that were heard in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from inference.audio import SAMPLE_RATE, AudioBuffer
from inference.speech.asr import DecodedWord, DecodeKind, DecodeRequest, Hypothesis, Transcriber
from inference.speech.endpointing import Endpointer, EndpointPolicy, Utterance
from inference.speech.hallucination_filters import DOUBTFUL, rejection, without_tail
from inference.speech.session import SessionConfig
from inference.speech.vad import VAD_WINDOW, DetectorState, SpeechDetector, shared_detector
from inference.text import UNSPACED
from inference.types import Word

STRETCHES = EndpointPolicy(pauses=((1.0, 0.8), (3.0, 0.8)), cap=25.0, cap_search=5.0)
PHRASES = EndpointPolicy()

LEAST_SHARE = 0.85
"""Share of the words of the longest text that another one must have: leaving out words makes a text surer."""

LanguageAt = Callable[[float, float], str | None]
"""Returns the language spoken between two times in seconds; None: to be detected."""

LONGEST_CAPTION_S = 60.0
"""How far before a time a caption that reaches it can begin."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the recording that was read again, from silence to silence unless somebody spoke on and on."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    language: str
    """Of its words; empty: there are none."""
    words: tuple[Word, ...]


@dataclass(slots=True, eq=False)
class _Part:
    """An utterance of one way to divide the recording."""

    utterance: Utterance
    audio: np.ndarray
    kind: DecodeKind = "final"
    text: Hypothesis | None = None
    """The accepted hypothesis; without words if it was rejected."""


@dataclass(slots=True, eq=False)
class _Division:
    """One way to divide the recording into utterances."""

    endpointer: Endpointer
    parts: deque[_Part] = field(default_factory=deque)

    def is_decoded_until(self, end: int) -> bool:
        """Return whether every utterance that begins before `end` (samples) is closed and decoded."""
        begun = self.endpointer.start
        if begun is not None and begun < end:
            return False
        return all(part.text is not None for part in self.parts if part.utterance.start < end)


class SpokenLanguages:
    """The languages of the first reading, by time."""

    def __init__(self, spans: Iterable[tuple[float, float, str]]) -> None:
        """`spans`: start and end in seconds, and language, of each caption."""
        self._spans = sorted(spans)

    def at(self, start: float, end: float) -> str | None:
        """Return the language that was spoken longest between two times; None: there are no captions."""
        seconds: dict[str, float] = {}
        first = bisect_left(self._spans, (start - LONGEST_CAPTION_S,))
        for begin, finish, language in islice(self._spans, first, None):
            if begin >= end:
                break
            if finish > start:
                seconds[language] = seconds.get(language, 0.0) + min(finish, end) - max(begin, start)
        return max(seconds, key=seconds.__getitem__, default=None)


class SecondPass:
    """The second pass over one recording. `feed` runs the voice activity detection, about 3 ms per second of audio."""

    def __init__(
        self,
        config: SessionConfig,
        language_at: LanguageAt = lambda start, end: None,
        *,
        start: int = 0,
        detector: SpeechDetector | None = None,
    ) -> None:
        """Prepare to read a recording from its first sample on; the pieces before the sample `start` are left out."""
        self._config = config
        self._language_at = language_at
        self._start = start
        self._detector = detector or shared_detector()
        self._state = DetectorState.initial()
        self._buffer = AudioBuffer(0)
        self._window = 0
        self._divisions = tuple(_Division(Endpointer(policy)) for policy in (STRETCHES, PHRASES))
        self._read_until = start

    @property
    def received(self) -> int:
        """Samples fed so far."""
        return self._buffer.end

    def feed(self, samples: np.ndarray) -> None:
        """Append float32 mono samples at SAMPLE_RATE, shape (n,)."""
        self._buffer.append(samples)
        while (self._window + 1) * VAD_WINDOW <= self._buffer.end:
            start = self._window * VAD_WINDOW
            probability, self._state = self._detector.judge(self._buffer.slice(start, start + VAD_WINDOW), self._state)
            self._window += 1
            for division in self._divisions:
                self._note(division, division.endpointer.push(probability))
        needed = min(division.endpointer.earliest for division in self._divisions)
        self._buffer.drop_before(min(needed, self._window * VAD_WINDOW))

    def flush(self) -> None:
        """Close what is open: the recording has ended."""
        for division in self._divisions:
            self._note(division, division.endpointer.flush(self._buffer.end))

    def requests(self) -> list[DecodeRequest]:
        """Return what is to be decoded next, in the order of time."""
        waiting = [part for division in self._divisions for part in division.parts if part.text is None]
        return [self._request(part) for part in sorted(waiting, key=_place)]

    def accept(self, request: DecodeRequest, hypothesis: Hypothesis) -> None:
        """Take the hypothesis of a request. Raises ValueError for one that was not made."""
        part = self._asked(request)
        heard = without_tail(hypothesis, audio_s=len(part.audio) / SAMPLE_RATE)
        utterance = part.utterance
        refused = rejection(heard, speech_s=utterance.speech / SAMPLE_RATE, surest=utterance.surest)
        if refused in DOUBTFUL and part.kind == "final":
            part.kind = "careful"
        else:
            part.text = replace(heard, words=()) if refused else heard

    def pieces(self) -> list[Piece]:
        """Return the pieces that can be told by now, each once."""
        found: list[Piece] = []
        stretches = self._divisions[0].parts
        while stretches and all(division.is_decoded_until(stretches[0].utterance.end) for division in self._divisions):
            found.append(self._piece(stretches[0].utterance.end))
        return found

    def _note(self, division: _Division, utterance: Utterance | None) -> None:
        if utterance is not None and utterance.end > self._start:
            division.parts.append(_Part(utterance, self._buffer.slice(utterance.start, utterance.end)))

    def _request(self, part: _Part) -> DecodeRequest:
        start, end = part.utterance.start, part.utterance.end
        config = self._config
        language = self._language_at(start / SAMPLE_RATE, end / SAMPLE_RATE) or config.language
        return DecodeRequest(
            part.kind, start, part.audio, language, allowed=config.allowed, vocabulary=config.vocabulary
        )

    def _asked(self, request: DecodeRequest) -> _Part:
        for division in self._divisions:
            for part in division.parts:
                if part.audio is request.audio and part.kind == request.kind and part.text is None:
                    return part
        raise ValueError(f"no {request.kind} decode of {request.start} is waited for")

    def _piece(self, end: int) -> Piece:
        """Return what was said before `end` (samples), and forget the utterances that are told with it."""
        texts = [_spoken(division.parts, self._read_until, end) for division in self._divisions]
        for division in self._divisions:
            while division.parts and division.parts[0].utterance.end <= end:
                division.parts.popleft()
        chosen = _surer(texts)
        piece = Piece(self._read_until / SAMPLE_RATE, end / SAMPLE_RATE, _language(chosen), _words(chosen))
        self._read_until = end
        return piece


def decode(second_pass: SecondPass, transcriber: Transcriber, *, at_once: int) -> None:
    """Decode the next requests, `at_once` at most."""
    requests = second_pass.requests()[:at_once]
    for request, hypothesis in zip(requests, transcriber.transcribe(requests), strict=True):
        second_pass.accept(request, hypothesis)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A word of one utterance, with what is known of that."""

    word: DecodedWord
    offset: float
    """Where the utterance begins, in seconds."""
    language: str
    score: float
    """Mean log-probability of the utterance's tokens."""


def _spoken(parts: Sequence[_Part], start: int, end: int) -> list[_Spoken]:
    """Return the words whose middle is between two samples."""
    found = []
    for part in parts:
        offset = part.utterance.start / SAMPLE_RATE
        heard = part.text
        for word in heard.words if heard else ():
            if heard and start <= (offset + (word.start + word.end) / 2) * SAMPLE_RATE < end:
                found.append(_Spoken(word, offset, heard.language, heard.mean_log_probability))
    return found


def _surer(texts: Sequence[Sequence[_Spoken]]) -> Sequence[_Spoken]:
    """Return the text with the higher mean log-probability, of those that are long enough; the first wins ties."""
    most = max(len(text) for text in texts)
    return max((text for text in texts if len(text) >= LEAST_SHARE * most), key=_score)


def _score(text: Sequence[_Spoken]) -> float:
    return sum(spoken.score for spoken in text) / len(text) if text else 0.0


def _language(text: Sequence[_Spoken]) -> str:
    """Return the language of most words; empty: there are no words."""
    spoken = [one.language for one in text]
    return max(spoken, key=spoken.count, default="")


def _words(text: Sequence[_Spoken]) -> tuple[Word, ...]:
    """Return the words in the recording's time, each as it stands between spaces: "well" and "-known" are one word."""
    joined: list[Word] = []
    for spoken in text:
        word = spoken.word.at(spoken.offset)
        is_glued = not spoken.word.spelling.startswith(" ") and spoken.language not in UNSPACED
        if joined and is_glued:
            before = joined[-1]
            probability = (before.probability + word.probability) / 2
            joined[-1] = Word(before.start, max(before.end, word.end), before.text + word.text, probability)
        else:
            joined.append(word)
    return tuple(joined)


def _place(part: _Part) -> tuple[int, int]:
    return part.utterance.end, part.utterance.start
