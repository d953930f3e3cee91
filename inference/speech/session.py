"""Captioning of one meeting: samples in, decode requests out, hypotheses in, caption events out.

No I/O, clocks or models: the caller feeds audio, has the requests decoded, and passes back the hypotheses. A final
caption is a pure function of the audio, the pauses marked in it, and the settings. It does not depend on how the audio
was split into `feed` calls, on which live requests were made, or on the time of a crash: a session resumed from any
checkpoint gives the same finals from there on.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass

import numpy as np

from inference.audio import SAMPLE_RATE, AudioBuffer
from inference.speech.asr import DecodeRequest, Hypothesis
from inference.speech.decode_scheduler import DecodeScheduler
from inference.speech.endpointing import SPOKEN, Boundary, Endpointer, EndpointPolicy, Utterance
from inference.speech.hallucination_filters import rejection, without_tail
from inference.speech.hypothesis import HypothesisBuffer, LivePolicy
from inference.speech.pending_utterance import Closing, PendingUtterance, segment_id
from inference.speech.resume_state import Checkpoint, CheckpointError
from inference.speech.sealing import SealPolicy, TickClock, shifted
from inference.speech.vad import VAD_WINDOW, DetectorState, SpeechDetector, shared_detector
from inference.types import CaptionEvent, LanguageHeard, PartialCaption, Progress

PAUSE_S = 0.2
"""Seconds without speech that may be the end of an utterance."""

PROGRESS_S = 10.0
"""Seconds of silence after which progress is worth storing, so that the audio log can be trimmed."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """The meeting settings that affect its captions."""

    language: str | None
    """ISO 639-1; None to detect it in each utterance."""
    allowed: tuple[str, ...] = ()
    """Languages that may be detected; empty allows all."""
    vocabulary: tuple[str, ...] = ()
    """Names and jargon to expect."""


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
        sealing: SealPolicy | None = None,
    ) -> None:
        """`sealing`: seal words while they are spoken; None: only at the end of an utterance.

        Raises CheckpointError if this version cannot read `checkpoint`.
        """
        resumed = Checkpoint.loads(checkpoint) if checkpoint else Checkpoint.at(0)
        self._config = config
        self._detector = detector or shared_detector()
        self._state = _detector_state(resumed)
        self._endpointer = Endpointer(endpointing or (SPOKEN if sealing else EndpointPolicy()), resumed.boundary)
        self._sealing = sealing
        self.is_sealing = sealing is not None and resumed.is_sealing
        """Whether words are sealed before the end of an utterance; see `seal`."""
        self._live_policy = live or LivePolicy()
        self._pace = DecodeScheduler(self._live_policy)
        self._hypothesis = HypothesisBuffer(self._live_policy)
        self._language = resumed.language
        # Checkpoints of earlier versions hold no more than the last language.
        self._heard = resumed.heard or ({resumed.language: 1.0} if resumed.language else {})
        self.audio_from = min(self._endpointer.earliest, resumed.boundary.window * VAD_WINDOW)
        self.position = resumed.boundary.position
        self._buffer = AudioBuffer(self.audio_from)
        self._closed: deque[PendingUtterance] = deque()
        self._open: PendingUtterance | None = None
        self._clock: TickClock | None = None
        if self._endpointer.start is not None:
            self._begin(self._endpointer.start)

    @property
    def received(self) -> int:
        """Position after the last sample fed, counted from the meeting's first."""
        return self._buffer.end

    @property
    def captioned(self) -> int:
        """Position up to which words are final."""
        sealed_until = self._open.sealed_until if self._open and not self._closed else 0.0
        return max(self.position, int(sealed_until * SAMPLE_RATE))

    @property
    def backlog(self) -> int:
        """Number of utterances that wait for a decode: closed ones, and the open one at a tick."""
        return len(self._closed) + (self._open is not None and self._open.is_due)

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

    def seal(self, *, is_on: bool) -> None:
        """Seal words from `received` on, or only at the end of an utterance, because the machine is too slow.

        Finals depend on the position, so it must be in the audio log.
        """
        self.is_sealing = is_on and self._sealing is not None

    @property
    def waiting_ticks(self) -> int:
        """Number of ticks that were not decoded yet."""
        return sum(len(utterance.ticks) for utterance in self._pending)

    def fork(self) -> CaptionSession:
        """Return an independent copy that gives the same utterances for the same audio."""
        return copy.deepcopy(self, {id(self._detector): self._detector})

    def requests(self, *, live: bool) -> list[DecodeRequest]:
        """Return the next decode requests: what gives final words, in spoken order, else live text if due."""
        due = [utterance for utterance in self._pending if utterance.is_due]
        if due and self._sealing and self._config.language is None:
            due = due[:1]  # sealed words stand, and their language depends on the speech before them
        if due or self._closed:
            return [self._final_request(utterance) for utterance in due]
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
        return self._news()

    def progress(self) -> Progress | None:
        """Return a resume point after a long silence or a flush; None if speech is pending or there is little news."""
        if self._closed or self._endpointer.start is not None:
            return None
        boundary = self._endpointer.boundary
        news = boundary.position - self.position
        is_flushed = boundary.floor == self.received
        if news <= 0 or (news < PROGRESS_S * SAMPLE_RATE and not is_flushed):
            return None
        return self._progress(boundary, self._state, is_sealing=self.is_sealing)

    # -- hearing ----------------------------------------------------------------------------------------------------

    def _hear_window(self) -> None:
        start = self._endpointer.window * VAD_WINDOW
        probability, self._state = self._detector.judge(self._buffer.slice(start, start + VAD_WINDOW), self._state)
        utterance = self._endpointer.push(probability)
        if utterance:
            self._close(utterance)
        elif self._open is None and self._endpointer.start is not None:
            self._begin(self._endpointer.start)
        elif self._open and self._clock and self._is_tick(self._clock, start + VAD_WINDOW):
            self._open.ticks.append(self._endpointer.so_far())

    def _is_tick(self, clock: TickClock, position: int) -> bool:
        """Return whether words are sealed at `position`. In a pause it is not known yet whether the utterance ends."""
        return self.is_sealing and self._endpointer.pause < PAUSE_S * SAMPLE_RATE and clock.is_due(position)

    def _begin(self, start: int) -> None:
        self._open = PendingUtterance(start, self._config, self._sealing)
        if self._sealing:
            self._clock = TickClock(self._sealing, start, until=self._endpointer.policy.earliest_cut)

    def _close(self, utterance: Utterance) -> None:
        assert self._open is not None
        audio = self._buffer.slice(utterance.start, utterance.end)
        self._open.config = self._config
        self._open.closing = Closing(utterance, audio, self._endpointer.boundary, self._state, self.is_sealing)
        self._closed.append(self._open)
        self._open = self._clock = None
        if self._endpointer.start is not None:
            self._begin(self._endpointer.start)
            self._hypothesis = self._hypothesis.after(utterance.end / SAMPLE_RATE)
        else:
            self._hypothesis = HypothesisBuffer(self._live_policy)
        self._pace.begin()

    # -- finals -----------------------------------------------------------------------------------------------------

    @property
    def _pending(self) -> list[PendingUtterance]:
        return [*self._closed, self._open] if self._open else list(self._closed)

    def _final_request(self, utterance: PendingUtterance) -> DecodeRequest:
        part = utterance.part
        assert part is not None
        start = utterance.window_start()
        if utterance.closing:
            audio = utterance.closing.audio[start - utterance.start : part.end - utterance.start]
        else:
            audio = self._buffer.slice(start, part.end)
        return utterance.request(audio, start, self._heard)

    def _accept_final(self, request: DecodeRequest, hypothesis: Hypothesis) -> None:
        utterance = next((one for one in self._pending if one.start == request.utterance), None)
        if utterance is None or utterance.next_kind != request.kind:
            raise ValueError(f"no {request.kind} decode of {request.utterance} is waited for")
        unsealed = utterance.accept(request, hypothesis)
        if utterance is self._open:
            self._hypothesis.seal(utterance.sealed_until)
            tick = request.start + len(request.audio)
            if unsealed and self._pace.decoded(tick):
                self._hypothesis.update(unsealed, audio_end=tick / SAMPLE_RATE)

    def _news(self) -> list[CaptionEvent]:
        """Return the events of the oldest utterances that are decoded without a gap, and sealed words of the next.

        The language of an utterance depends on those before it. If it was decoded in another language before they were
        known, it is decoded again.
        """
        events: list[CaptionEvent] = []
        while self._closed and self._closed[0].heard:
            if self._closed[0].is_in_another_language(self._closed[0].language_request(self._heard)):
                self._closed[0].decode_again()
                break
            events += self._finished(self._closed.popleft())
        caption = self._pending[0].open_caption() if self._pending else None
        if caption:
            events.append(caption)
        if events and not self._closed and self._hypothesis.text:
            events.append(self._partial())
        return events

    def _finished(self, utterance: PendingUtterance) -> list[CaptionEvent]:
        assert utterance.closing is not None
        assert utterance.heard is not None
        events: list[CaptionEvent] = []
        caption = utterance.final_caption()
        if caption:
            events.append(caption)
        if caption and caption.words:
            self._language = caption.language
            self._heard = utterance.languages_after(self._heard)
            if utterance.heard.detected and utterance.heard.words:
                events.append(LanguageHeard(caption.segment, *utterance.heard.detected))
        closing = utterance.closing
        return [*events, self._progress(closing.boundary, closing.detector, is_sealing=closing.is_sealing)]

    def _progress(self, boundary: Boundary, detector: DetectorState, *, is_sealing: bool) -> Progress:
        self.position = boundary.position
        seals = is_sealing or self._sealing is None
        checkpoint = Checkpoint(boundary, detector.dumps(), self._language, self._heard, seals)
        return Progress(self.position, checkpoint.dumps())

    # -- live -------------------------------------------------------------------------------------------------------

    def _live_request(self) -> DecodeRequest:
        assert self._open is not None
        start = self._open.start_before_seal(self._live_policy.context)
        self._pace.asked(self._endpointer)
        return DecodeRequest(
            kind="live",
            start=start,
            utterance=self._open.start,
            audio=self._buffer.slice(start, self._buffer.end),
            language=self._open.language or self._config.language or self._language,
            allowed=self._config.allowed,
            vocabulary=self._config.vocabulary,
        )

    def _accept_live(self, request: DecodeRequest, hypothesis: Hypothesis) -> list[CaptionEvent]:
        if self._open is None or request.utterance != self._open.start:
            return []  # the utterance has closed, and its final will replace this text
        self._pace.took(hypothesis.seconds)
        audio_s = len(request.audio) / SAMPLE_RATE
        hypothesis = without_tail(hypothesis, audio_s=audio_s)
        if rejection(hypothesis, speech_s=audio_s, surest=self._endpointer.surest):
            return []
        shown = self._hypothesis.text
        start = request.start / SAMPLE_RATE
        words = self._open.unsealed(shifted(hypothesis.words, start))
        text = self._hypothesis.update(words, audio_end=start + audio_s)
        return [self._partial()] if text != shown else []

    def _partial(self) -> PartialCaption:
        assert self._open is not None
        start = self._open.sealed_until or self._open.start / SAMPLE_RATE
        return PartialCaption(segment_id(self._open.start), round(start, 2), self._hypothesis.text)


def _detector_state(checkpoint: Checkpoint) -> DetectorState:
    try:
        return DetectorState.loads(checkpoint.detector)
    except ValueError as error:
        raise CheckpointError("a checkpoint with another detector's state") from error
