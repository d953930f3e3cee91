"""One utterance from its first tick to its final text: what of it is sealed, and what is to be decoded next."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodedWord, DecodeKind, DecodeRequest, Hypothesis, spell
from inference.speech.endpointing import Boundary, Utterance
from inference.speech.hallucination_filters import DOUBTFUL, WORDLESS, rejection, without_tail
from inference.speech.language_id import choose_language, heard_languages
from inference.speech.sealing import SealPolicy, corrected, first_after, sealed_by, shifted
from inference.speech.vad import VAD_WINDOW, DetectorState
from inference.types import FinalCaption

if TYPE_CHECKING:
    from inference.speech.session import SessionConfig

ONSET_LAG_S = 0.1
"""Delay in seconds with which the detector may notice speech."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of an utterance."""

    utterance: Utterance
    audio: np.ndarray
    """float32, of the whole utterance."""
    boundary: Boundary
    detector: DetectorState
    """Boundary and detector state when the utterance closed."""
    is_sealing: bool
    """Whether words were sealed then."""


@dataclass(slots=True, eq=False)
class PendingUtterance:
    """An utterance whose final text is not known yet."""

    start: int
    """Samples."""
    config: SessionConfig
    policy: SealPolicy | None
    """None: nothing is sealed before the end."""
    ticks: deque[Utterance] = field(default_factory=deque)
    """The utterance up to each tick that was not decoded yet."""
    closing: Closing | None = None
    """None while it is open."""
    sealed: tuple[DecodedWord, ...] = ()
    """Final words so far; times in seconds of the meeting."""
    told: int = 0
    """How many of them were in a caption."""
    language: str | None = None
    """Of the sealed words; None: none is sealed."""
    kind: DecodeKind = "final"
    """How to decode its end."""
    heard: Hypothesis | None = None
    """The accepted hypothesis of its end; without words if it was rejected."""
    is_wordless: bool = False
    """Whether nobody spoke, as the decode of the whole utterance tells. Sealed words were imagined then."""
    languages: dict[str, float] = field(default_factory=dict)
    """Probabilities of the languages after it; empty: it was not detected."""
    decoded: list[Hypothesis] = field(default_factory=list)
    """All hypotheses of its end. Each must be in the language that it has once the speech before it is known."""

    @property
    def sealed_until(self) -> float:
        """Seconds: the end of the sealed words; 0.0: there are none."""
        return self.sealed[-1].end if self.sealed else 0.0

    @property
    def is_due(self) -> bool:
        """Whether something is to be decoded."""
        return bool(self.ticks) or (self.closing is not None and self.heard is None)

    @property
    def next_kind(self) -> DecodeKind | None:
        """How it is to be decoded next; None: nothing is due."""
        if not self.is_due:
            return None
        return "seal" if self.ticks else self.kind

    @property
    def part(self) -> Utterance | None:
        """What is to be decoded next: the utterance up to its next tick, or all of it. None: nothing for now."""
        if self.ticks:
            return self.ticks[0]
        return self.closing.utterance if self.closing is not None and self.heard is None else None

    def window_start(self) -> int:
        """Return the sample from which `part` is decoded: all of it at its end, else from a little before the seal."""
        return self.start_before_seal(self.policy.context) if self.ticks and self.policy else self.start

    def start_before_seal(self, context: float) -> int:
        """Return the sample `context` seconds before the end of the sealed words, at the earliest its first."""
        if not self.sealed:
            return self.start
        return max(self.start, int((self.sealed_until - context) * SAMPLE_RATE) // VAD_WINDOW * VAD_WINDOW)

    def unsealed(self, words: tuple[DecodedWord, ...]) -> tuple[DecodedWord, ...]:
        """Return the words after the sealed ones."""
        return words[first_after(words, self.sealed_until) :] if self.sealed else words

    def request(self, audio: np.ndarray, start: int, heard: Mapping[str, float]) -> DecodeRequest:
        """Return the request to decode `audio`, which begins at `start`, for `part`."""
        return DecodeRequest(
            kind=self.next_kind or self.kind,
            start=start,
            utterance=self.start,
            audio=audio,
            language=self.language or self.config.language,
            allowed=self.config.allowed,
            heard=heard,
            vocabulary=self.config.vocabulary,
        )

    def accept(self, request: DecodeRequest, hypothesis: Hypothesis) -> tuple[DecodedWord, ...]:
        """Take the hypothesis of a request that was made by `request`; return the words of a tick that may change."""
        part = self.part
        assert part is not None
        audio_s = len(request.audio) / SAMPLE_RATE
        audible = without_tail(hypothesis, audio_s=audio_s)
        speech_s = min(part.speech / SAMPLE_RATE, audio_s)
        refused = rejection(audible, speech_s=speech_s, surest=part.surest)
        if request.kind == "seal":
            self.ticks.popleft()
            return self._seal(request, audible, part) if refused is None else ()
        self.decoded.append(hypothesis)
        if refused in DOUBTFUL and self.kind == "final":
            self.kind = "careful"
        else:
            self.heard = replace(audible, words=()) if refused else audible
            self.is_wordless = refused in WORDLESS
        return ()

    def language_request(self, heard: Mapping[str, float]) -> DecodeRequest:
        """Return the request for its end as it would be made now; only its language matters."""
        assert self.closing is not None
        return self.request(self.closing.audio, self.start, heard)

    def languages_after(self, heard: Mapping[str, float]) -> dict[str, float]:
        """Return the probabilities of the languages after it, for the next utterance."""
        assert self.heard is not None
        if self.languages:
            return self.languages
        if self.heard.ranking:
            return heard_languages(self.language_request(heard), self.heard.ranking)
        return {self.language or self.heard.language: 1.0}

    def is_in_another_language(self, request: DecodeRequest) -> bool:
        """Return whether `request`, made now, would have given a hypothesis in another language."""
        return any(
            found.ranking and choose_language(request, found.ranking)[0] != found.language for found in self.decoded
        )

    def decode_again(self) -> None:
        """Discard the results of its end and start again as a final."""
        self.kind, self.heard = "final", None
        self.decoded.clear()

    def open_caption(self) -> FinalCaption | None:
        """Return the caption so far, if words were sealed since it was last asked for."""
        if len(self.sealed) == self.told or self.language is None:
            return None
        self.told = len(self.sealed)
        return _caption(self.start, self.sealed, self.language, is_open=True)

    def final_caption(self) -> FinalCaption | None:
        """Return the whole caption, once `heard` is known; None: there are no words.

        Sealed words stand unless the decode of the whole utterance is surer. If nobody spoke, they are taken back by a
        caption without words.
        """
        assert self.closing is not None
        assert self.heard is not None
        if self.is_wordless:
            return self._taken_back() if self.told else None
        decoded = shifted(self.heard.words, self.start / SAMPLE_RATE)
        if self.sealed and self.policy:
            rest = self.unsealed(decoded)
            words = corrected(self.sealed, decoded[: len(decoded) - len(rest)], self.policy) + rest
        else:
            words = _begun(decoded, self.closing.utterance)
        return _caption(self.start, words, self.language or self.heard.language, is_open=False) if words else None

    def _taken_back(self) -> FinalCaption:
        assert self.language is not None
        return replace(_caption(self.start, self.sealed, self.language, is_open=False), text="", words=())

    def _seal(self, request: DecodeRequest, hypothesis: Hypothesis, part: Utterance) -> tuple[DecodedWord, ...]:
        """Seal the words that end well before the tick at the end of `part`; return those after them."""
        assert self.policy is not None
        if hypothesis.language_probability < self.policy.sure_language:
            return ()
        words = self.unsealed(_begun(shifted(hypothesis.words, request.start / SAMPLE_RATE), part))
        count = sealed_by(words, until=part.end / SAMPLE_RATE - self.policy.hold_back)
        if count and self.language is None:
            self.language = hypothesis.language
            self.languages = heard_languages(request, hypothesis.ranking) if hypothesis.ranking else {}
        self.sealed += words[:count]
        return words[count:]


def segment_id(start: int) -> str:
    """Return the id of the utterance that starts at this sample. Ids sort in utterance order."""
    return f"{start:012d}"


def _caption(start: int, decoded: Sequence[DecodedWord], language: str, *, is_open: bool) -> FinalCaption:
    words = tuple(word.at(0.0) for word in decoded)
    return FinalCaption(segment_id(start), words[0].start, words[-1].end, spell(decoded), language, words, is_open)


def _begun(words: tuple[DecodedWord, ...], utterance: Utterance) -> tuple[DecodedWord, ...]:
    """Trim the first word's silence before the onset, which the decoder's attention includes."""
    if not words:
        return words
    onset = utterance.onset / SAMPLE_RATE - ONSET_LAG_S
    return (replace(words[0], start=max(words[0].start, min(onset, words[0].end))), *words[1:])
