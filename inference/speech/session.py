"""Captioning of one meeting: samples in, decode requests out, hypotheses in, caption events out.

No I/O, clocks or models: the caller feeds audio, has the requests decoded, and passes back the hypotheses. A final
caption is a pure function of the audio, the pauses marked in it, and the settings. It does not depend on how the audio
was split into `feed` calls, on which live requests were made, or on the time of a crash: a session resumed from any
checkpoint gives the same finals from there on.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from inference.audio import SAMPLE_RATE, AudioBuffer
from inference.speech.asr import DecodeKind, DecodeRequest, Hypothesis
from inference.speech.decode_scheduler import DecodeScheduler
from inference.speech.endpointing import Boundary, Endpointer, EndpointPolicy, Utterance
from inference.speech.hallucination_filters import DOUBTFUL, rejection, without_tail
from inference.speech.hypothesis import HypothesisBuffer, LivePolicy
from inference.speech.language_id import choose_language, heard_languages
from inference.speech.resume_state import Checkpoint, CheckpointError
from inference.speech.vad import VAD_WINDOW, DetectorState, SpeechDetector, shared_detector
from inference.types import CaptionEvent, FinalCaption, LanguageHeard, PartialCaption, Progress, Word

PROGRESS_S = 10.0
"""Seconds of silence after which progress is worth storing, so that the audio log can be trimmed."""

ONSET_LAG_S = 0.1
"""Delay in seconds with which the detector may notice speech."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """The meeting settings that affect its captions."""

    language: str | None
    """ISO 639-1; None to detect it in each utterance."""
    allowed: tuple[str, ...] = ()
    """Languages that may be detected; empty allows all."""
    vocabulary: tuple[str, ...] = ()
    """Names and jargon to expect."""


@dataclass(slots=True, eq=False)
class _Closed:
    """An utterance that waits for its final text."""

    utterance: Utterance
    audio: np.ndarray
    config: SessionConfig
    boundary: Boundary
    detector: DetectorState
    """Boundary and detector state when the utterance closed."""
    kind: DecodeKind = "final"
    """How to decode it."""
    heard: Hypothesis | None = None
    """The accepted hypothesis; without words if it was rejected."""
    decoded: list[Hypothesis] = field(default_factory=list)
    """All hypotheses so far; each must be in the language that it has once the speech before it is known."""

    def is_in_another_language(self, request: DecodeRequest) -> bool:
        """Return whether `request`, made now, would have given a hypothesis in another language."""
        return any(
            found.ranking and choose_language(request, found.ranking)[0] != found.language for found in self.decoded
        )

    def decode_again(self) -> None:
        """Discard all results and start again as a final."""
        self.kind, self.heard = "final", None
        self.decoded.clear()


class CaptionSession:
    """One meeting's session. `feed` runs the voice activity detection, about 1 ms per second of audio."""

    def __init__(
        self,
        config: SessionConfig,
        checkpoint: str | None = None,
        *,
        detector: SpeechDetector | None = None,
        endpointing: EndpointPolicy | None = None,
        live: LivePolicy | None = None,
    ) -> None:
        """Raises CheckpointError if this version cannot read `checkpoint`."""
        resumed = Checkpoint.loads(checkpoint) if checkpoint else Checkpoint.at(0)
        self._config = config
        self._detector = detector or shared_detector()
        self._state = _detector_state(resumed)
        self._endpointer = Endpointer(endpointing or EndpointPolicy(), resumed.boundary)
        self._live_policy = live or LivePolicy()
        self._pace = DecodeScheduler(self._live_policy)
        self._hypothesis = HypothesisBuffer(self._live_policy)
        self._language = resumed.language
        # Checkpoints of earlier versions hold no more than the last language.
        self._heard = resumed.heard or ({resumed.language: 1.0} if resumed.language else {})
        self.audio_from = min(self._endpointer.earliest, resumed.boundary.window * VAD_WINDOW)
        self.position = resumed.boundary.position
        self._buffer = AudioBuffer(self.audio_from)
        self._closed: deque[_Closed] = deque()

    @property
    def received(self) -> int:
        """Position after the last sample fed, counted from the meeting's first."""
        return self._buffer.end

    @property
    def backlog(self) -> int:
        """Number of closed utterances that wait for their final decode."""
        return len(self._closed)

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is open."""
        return self._endpointer.start is not None

    def feed(self, samples: np.ndarray) -> None:
        """Append float32 mono samples at SAMPLE_RATE, shape (n,), at `received`."""
        self._buffer.append(samples)
        while self._endpointer.window * VAD_WINDOW + VAD_WINDOW <= self._buffer.end:
            self._hear_window()
        self._buffer.drop_before(min(self._endpointer.earliest, self._endpointer.window * VAD_WINDOW))

    def flush(self) -> None:
        """Close the open utterance at `received`, because the host paused or ended.

        Finals depend on the position, so it must be in the audio log. A second flush at the same position has no
        effect.
        """
        utterance = self._endpointer.flush(self._buffer.end)
        if utterance:
            self._close(utterance)

    def configure(self, config: SessionConfig) -> None:
        """Use other settings for utterances that close from now on. Flush first to exclude the preceding speech."""
        self._config = config

    def fork(self) -> CaptionSession:
        """Return an independent copy that gives the same utterances for the same audio."""
        return copy.deepcopy(self, {id(self._detector): self._detector})

    def requests(self, *, live: bool) -> list[DecodeRequest]:
        """Return the next decode requests: finals of closed utterances in order, else the open utterance if due."""
        if self._closed:
            return [self._final_request(closed) for closed in self._closed if closed.heard is None]
        if live and self._pace.is_due(self._endpointer):
            return [self._live_request()]
        return []

    def accept(self, request: DecodeRequest, hypothesis: Hypothesis) -> list[CaptionEvent]:
        """Return the events from a hypothesis. Finals are emitted in spoken order, whatever the order of their decodes.

        Raises ValueError for a final that was not requested.
        """
        if request.kind == "live":
            return self._accept_live(request, hypothesis)
        self._accept_final(request, hypothesis)
        return self._take_heard()

    def progress(self) -> Progress | None:
        """Return a resume point after a long silence or a flush; None if speech is pending or there is little news."""
        if self._closed or self._endpointer.start is not None:
            return None
        boundary = self._endpointer.boundary
        news = boundary.position - self.position
        is_flushed = boundary.floor == self.received
        if news <= 0 or (news < PROGRESS_S * SAMPLE_RATE and not is_flushed):
            return None
        return self._progress(boundary, self._state)

    # -- hearing ----------------------------------------------------------------------------------------------------

    def _hear_window(self) -> None:
        start = self._endpointer.window * VAD_WINDOW
        probability, self._state = self._detector.judge(self._buffer.slice(start, start + VAD_WINDOW), self._state)
        utterance = self._endpointer.push(probability)
        if utterance:
            self._close(utterance)

    def _close(self, utterance: Utterance) -> None:
        audio = self._buffer.slice(utterance.start, utterance.end)
        self._closed.append(_Closed(utterance, audio, self._config, self._endpointer.boundary, self._state))
        is_cut = self._endpointer.start is not None
        carried = self._hypothesis.after((utterance.end - utterance.start) / SAMPLE_RATE)
        self._hypothesis = carried if is_cut else HypothesisBuffer(self._live_policy)
        self._pace.begin()

    # -- finals -----------------------------------------------------------------------------------------------------

    def _final_request(self, closed: _Closed) -> DecodeRequest:
        config = closed.config
        return DecodeRequest(
            kind=closed.kind,
            start=closed.utterance.start,
            audio=closed.audio,
            language=config.language,
            allowed=config.allowed,
            heard=self._heard,
            vocabulary=config.vocabulary,
        )

    def _accept_final(self, request: DecodeRequest, hypothesis: Hypothesis) -> None:
        closed = next((closed for closed in self._closed if closed.utterance.start == request.start), None)
        if closed is None or closed.kind != request.kind or closed.heard:
            raise ValueError(f"no {request.kind} decode of {request.start} is waited for")
        closed.decoded.append(hypothesis)
        hypothesis = without_tail(hypothesis, audio_s=len(closed.audio) / SAMPLE_RATE)
        utterance = closed.utterance
        refused = rejection(hypothesis, speech_s=utterance.speech / SAMPLE_RATE, surest=utterance.surest)
        if refused in DOUBTFUL and closed.kind == "final":
            closed.kind = "careful"
        else:
            closed.heard = replace(hypothesis, words=()) if refused else hypothesis

    def _take_heard(self) -> list[CaptionEvent]:
        """Return the events of the oldest utterances that are decoded without a gap.

        The language of an utterance depends on those before it. If it was decoded in another language before they were
        known, it is decoded again.
        """
        events: list[CaptionEvent] = []
        while self._closed and (heard := self._closed[0].heard):
            request = self._final_request(self._closed[0])
            if self._closed[0].is_in_another_language(request):
                self._closed[0].decode_again()
                break
            closed = self._closed.popleft()
            if heard.words:
                self._language = heard.language
                self._heard = heard_languages(request, heard.ranking) if heard.ranking else {heard.language: 1.0}
                events.append(_final_caption(closed.utterance, heard))
                if heard.detected:
                    events.append(LanguageHeard(segment_id(closed.utterance.start), *heard.detected))
            events.append(self._progress(closed.boundary, closed.detector))
            if not self._closed and self._hypothesis.text:
                events.append(self._partial())
        return events

    def _progress(self, boundary: Boundary, detector: DetectorState) -> Progress:
        self.position = boundary.position
        return Progress(self.position, Checkpoint(boundary, detector.dumps(), self._language, self._heard).dumps())

    # -- live -------------------------------------------------------------------------------------------------------

    def _live_request(self) -> DecodeRequest:
        start = self._endpointer.earliest
        self._pace.asked(self._endpointer)
        return DecodeRequest(
            kind="live",
            start=start,
            audio=self._buffer.slice(start, self._buffer.end),
            language=self._config.language or self._language,
            allowed=self._config.allowed,
            vocabulary=self._config.vocabulary,
            prefix=self._hypothesis.prefix,
        )

    def _accept_live(self, request: DecodeRequest, hypothesis: Hypothesis) -> list[CaptionEvent]:
        if request.start != self._endpointer.start:
            return []  # the utterance has closed, and its final will replace this text
        self._pace.took(hypothesis.seconds)
        audio_s = len(request.audio) / SAMPLE_RATE
        hypothesis = without_tail(hypothesis, audio_s=audio_s)
        if rejection(hypothesis, speech_s=audio_s, surest=self._endpointer.surest):
            return []
        shown = self._hypothesis.text
        text = self._hypothesis.update(hypothesis, audio_s=audio_s)
        if text == shown:
            return []
        return [self._partial()]

    def _partial(self) -> PartialCaption:
        start = self._endpointer.earliest
        return PartialCaption(segment_id(start), round(start / SAMPLE_RATE, 2), self._hypothesis.text)


def _detector_state(checkpoint: Checkpoint) -> DetectorState:
    try:
        return DetectorState.loads(checkpoint.detector)
    except ValueError as error:
        raise CheckpointError("a checkpoint with another detector's state") from error


def segment_id(start: int) -> str:
    """Return the id of the utterance that starts at this sample. Ids sort in utterance order."""
    return f"{start:012d}"


def _final_caption(utterance: Utterance, hypothesis: Hypothesis) -> FinalCaption:
    words = [word.at(utterance.start / SAMPLE_RATE) for word in hypothesis.words]
    words[0] = _begun(words[0], utterance.onset / SAMPLE_RATE - ONSET_LAG_S)
    return FinalCaption(
        segment=segment_id(utterance.start),
        start=words[0].start,
        end=words[-1].end,
        text=hypothesis.text,
        language=hypothesis.language,
        words=tuple(words),
    )


def _begun(first: Word, onset: float) -> Word:
    """Trim the first word's leading silence, which the decoder's attention includes."""
    return replace(first, start=round(max(first.start, min(onset, first.end)), 2))
