"""One meeting in its worker: the entries read from the log, the caption session, and the audio still needed."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

import numpy as np
import structlog
from django.conf import settings

from inference.audio import SAMPLE_RATE, pcm16_to_float
from inference.diarization.tracker import BACKLOG, BEHIND
from inference.speech.language_mismatch import LanguageMismatch
from inference.speech.resume_state import Checkpoint, CheckpointError
from inference.speech.sealing import SealPolicy
from inference.speech.session import CaptionSession, SessionConfig
from inference.types import CaptionEvent, FinalCaption, LanguageHeard, PartialCaption, Progress
from meetings.broker.audio_log import AudioEntry, Mark
from meetings.device.asr import seal_policy
from meetings.languages import AUTO
from meetings.models import Meeting, Stage, State, Upload
from meetings.store.transcript import Lease
from meetings.worker.recording_scheduler import Recording, left_s
from meetings.worker.speaker_track import ResumeState, SpeakerTrack

log = structlog.get_logger(__name__)

KNOWN_MARKS = frozenset(get_args(Mark))
KINDS_OF_MARKS = {"pause": "state", "resume": "state"}
"""Marks that undo each other; every other mark is a kind of its own."""

MAX_INBOX_S = 60
"""Audio read ahead of the session. The rest waits in the log."""

MAX_BACKLOG = 24
"""Closed utterances that may wait in memory to be decoded, as during a long summary. At most 23 MB."""

ABSENT_S = 2.0
"""A host that has sent nothing for this long is not speaking."""

REHEAR_S = 60
"""Captioned audio that stays in the log, so that a worker that takes over recognizes the voices again."""


Phase = Literal["", "catching_up", "degraded", "summarizing"]
"""What viewers should know about a live meeting; empty when all is well."""


@dataclass(slots=True)
class TurnResult:
    """The result of one turn for one meeting."""

    partials: list[PartialCaption] = field(default_factory=list)
    finals: list[FinalCaption] = field(default_factory=list)
    progress: Progress | None = None
    marks: list[AudioEntry] = field(default_factory=list)
    """Marks that the captions have reached."""
    spoken: bool = False
    """Whether there was new audio."""
    languages: list[LanguageHeard] = field(default_factory=list)
    missing: int = 0
    """Samples missing from the log because the broker lost its file."""

    def add_mark(self, mark: AudioEntry) -> None:
        """Add a mark. It replaces an earlier one of its kind at the same place in the audio, which had no effect."""
        kind = KINDS_OF_MARKS.get(mark.mark, mark.mark)
        self.marks = [
            one for one in self.marks if (KINDS_OF_MARKS.get(one.mark, one.mark), one.sample) != (kind, mark.sample)
        ]
        self.marks.append(mark)

    def add(self, events: list[CaptionEvent]) -> None:
        for event in events:
            match event:
                case PartialCaption():
                    self.partials.append(event)
                case FinalCaption():
                    self.finals.append(event)
                case LanguageHeard():
                    self.languages.append(event)
                case Progress():
                    self.progress = event

    def __bool__(self) -> bool:
        return bool(self.partials or self.finals or self.progress or self.marks or self.spoken or self.missing)


class MeetingStream:
    """One meeting held by a worker. `take_in` runs in the device's thread, everything else in the event loop."""

    def __init__(self, meeting: Meeting, memory: ResumeState, *, upload: Upload | None = None) -> None:
        """`upload`: the recording that the meeting is made from; None: it has a host."""
        self.meeting_id: str = meeting.pk
        self.is_upload = upload is not None
        self.length_s = upload.seconds if upload is not None else None
        """Seconds of the recording; None: not known, or there is none."""
        self._owner_id = meeting.owner_id
        self.is_awaited = upload is not None and upload.is_awaited
        """Whether a program waits for the text."""
        self.lease = Lease(meeting.pk, meeting.lease_epoch)
        self.state = State(meeting.state)
        self.keep_recording = meeting.keep_recording or meeting.is_read_again
        """Whether the audio is recorded, for people or for the second pass."""
        self.vocabulary = meeting.vocabulary_terms
        self.voices = SpeakerTrack(memory, meeting.expected_speakers, behind=BACKLOG if self.is_upload else BEHIND)
        self.has_channel_speakers = False
        """Whether the channels of the recording are the speakers, so that voices need not be told apart."""
        self.languages_read: frozenset[str] = frozenset()
        """Languages read by viewers now."""
        self.awaits_labels = True
        """Whether there may be new captions of audio that was diarized before."""
        self.awaits_translation = True
        """Whether there may be captions without a translation into every wanted language."""
        self._languages_asked: frozenset[str] = frozenset()
        self._config = session_config(meeting, meeting.language)
        self.seals = not self.is_upload
        """Whether its words may be sealed before the end of an utterance."""
        sealing = seal_policy(settings.ENVIRONMENT) if self.seals else None
        self.session = resumed_session(meeting, self._config, sealing=sealing)
        self.last_read = b"0-0"
        self.newest: AudioEntry | None = None
        """The last entry read. The log always keeps it, so a log without it was truncated."""
        self.phase: Phase = ""
        self.told_of_summary = (False, "")
        """What viewers were told of the last summary: whether it is still to be written, and why it is put off."""
        self.committed = meeting.cursor
        """Samples whose captions are stored."""
        self.recorded_until = meeting.recorded_until
        """Samples in the recording."""
        self.set_aside: frozenset[Stage] = frozenset()
        """Stages that failed too often and are no longer tried."""
        self.failed_at: dict[Stage, int] = {}
        """Where stages failed, in samples captioned. A stage that gets further is cleared."""
        self.failures = 0
        """Failures of the meeting's stages since this worker took it."""
        self.is_suspect = False
        """Whether the previous worker died holding the meeting. It is processed alone up to `suspect_until`."""
        self.suspect_until = 0
        """Samples."""
        self.heard_at = time.monotonic()
        """When the log last had new entries."""
        self.sealing_marked_at = -inf
        """When this worker last asked for words to be sealed, or not to be."""
        self.flushed = 0
        """Where an absent host's utterance was closed, in samples."""
        self._meeting = meeting
        self._resumed_at = self.session.audio_from
        self._captioned_before = meeting.cursor
        """Samples captioned by previous workers. The session hears some of them again where the log has them."""
        self.doubt = LanguageMismatch(self._config.language)
        self.told_language = ""
        """The detected language last reported to the host; empty if it is the one that is set."""
        self._guard = threading.Lock()
        """Guards the two queues, which the event loop and the device's thread both use."""
        self._inbox: deque[AudioEntry] = deque()
        self._kept: deque[AudioEntry] = deque()
        """Audio that a resumed session would need, or that is not in the recording yet."""

    @property
    def captioned(self) -> int:
        """Samples up to which words are final: those captioned, and those sealed of the utterance that is spoken."""
        return max(self.committed, self.session.captioned)

    @property
    def languages_wanted(self) -> frozenset[str]:
        """The languages read by viewers, those listed in the meeting, and those that need corrections translated."""
        return self.languages_read | self._languages_asked | frozenset(self._meeting.languages)

    @property
    def recording(self) -> Recording:
        """What the scheduler of recordings needs to know."""
        left = left_s(self.length_s, self.committed / SAMPLE_RATE)
        return Recording(self.meeting_id, owner=self._owner_id, is_awaited=self.is_awaited, left_s=left)

    @property
    def wants_more(self) -> bool:
        with self._guard:
            ahead = self._inbox[-1].end - self._inbox[0].sample if self._inbox else 0
        return ahead < MAX_INBOX_S * SAMPLE_RATE

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is in progress and the host is present."""
        return self.session.is_speaking and time.monotonic() - self.heard_at < ABSENT_S

    @property
    def has_work(self) -> bool:
        return bool(self._inbox) or bool(self.session.backlog)

    def read(self, entries: list[AudioEntry]) -> None:
        """Add the entries that follow `last_read` in the log."""
        self.newest = entries[-1]
        self.last_read = self.newest.id
        self.heard_at = time.monotonic()
        with self._guard:
            self._inbox.extend(entries)

    def take_in(self, result: TurnResult) -> None:
        """Feed audio up to the next mark. A mark that changes captions waits until the audio before it is captioned."""
        while self._inbox and self.session.backlog < MAX_BACKLOG:
            entry = self._inbox[0]
            if entry.mark and entry.sample < self._resumed_at:
                pass  # read again; obeyed by the previous worker
            elif entry.mark == "speakers":
                self.voices.expect(int(entry.value) if entry.value else None)
            elif entry.mark == "sealing":
                self.session.seal(is_on=entry.value == "on")
            elif entry.mark == "translate":
                self._languages_asked |= frozenset(entry.value.split())
                self.awaits_translation = True
            elif entry.mark and entry.mark not in KNOWN_MARKS:
                pass  # written by a later version
            elif entry.mark:
                self.session.flush()
                if self.session.backlog:
                    return
                self._apply(entry)
                result.add_mark(entry)
            else:
                result.spoken |= entry.end > self._resumed_at
                result.missing += self._feed(entry)
            with self._guard:
                self._inbox.popleft()

    def forgettable_marks(self) -> bytes | None:
        """Return the id before which a log without audio is not needed: what its marks say is in the rows.

        None where a mark asks for translations: the next worker must find it if this one dies before they are stored.
        """
        with self._guard:
            if self._kept or self._inbox or self._languages_asked or self.newest is None:
                return None
            return self.newest.id

    def forgettable(self, progress: Progress) -> bytes | None:
        """Return the entry id before which the log can be trimmed once `progress` is committed, or None if unchanged.

        If the meeting is recorded, audio that is not in the recording yet is kept.
        """
        needed_from = CaptionSession(self._config, progress.checkpoint).audio_from - REHEAR_S * SAMPLE_RATE
        if self.keep_recording:
            needed_from = min(needed_from, self.recorded_until)
        first = None
        with self._guard:
            # Keep the newest entry: it marks where the log continues.
            while len(self._kept) > 1 and self._kept[0].end <= needed_from:
                self._kept.popleft()
                first = self._kept[0].id
        return first

    def kept(self, start: int, end: int) -> list[AudioEntry]:
        """Return the audio entries in memory that overlap the samples from `start` to `end`."""
        with self._guard:
            return [entry for entry in self._kept if entry.end > start and entry.sample < end]

    def audio_after(self, sample: int) -> np.ndarray:
        """Return the session's audio from `sample` on: float32, shape (session.received - sample,)."""
        audio = np.zeros(self.session.received - sample, np.float32)
        for entry in self.kept(sample, self.session.received):
            first, last = max(entry.sample, sample), min(entry.end, self.session.received)
            audio[first - sample : last - sample] = pcm16_to_float(entry.pcm)[
                first - entry.sample : last - entry.sample
            ]
        return audio

    def _feed(self, entry: AudioEntry) -> int:
        """Feed the new part of the entry; replace lost samples with silence, and return how many were not captioned."""
        with self._guard:
            self._kept.append(entry)
        samples = pcm16_to_float(entry.pcm)
        missing = max(0, entry.sample - max(self.session.received, self._captioned_before))
        if entry.sample > self.session.received:
            self.session.feed(np.zeros(entry.sample - self.session.received, np.float32))
        if not self.has_channel_speakers:
            self.voices.hear(samples, entry.sample)
        if entry.end > self.session.received:
            self.session.feed(samples[self.session.received - entry.sample :])
        return missing

    def _apply(self, mark: AudioEntry) -> None:
        if mark.mark == "language":
            self._config = session_config(self._meeting, mark.value)
            self.session.configure(self._config)
            self.doubt.configure(self._config.language)
        else:
            self.voices.rest()


def resumed_session(meeting: Meeting, config: SessionConfig, *, sealing: SealPolicy | None = None) -> CaptionSession:
    """Return the meeting's session, resumed from its checkpoint.

    `sealing`: of a meeting that people follow; None: the text of an utterance is final at its end.

    A checkpoint that this version cannot read is ignored; captions then resume at the cursor.
    """
    try:
        return CaptionSession(config, meeting.checkpoint or None, sealing=sealing)
    except CheckpointError as error:
        log.warning("checkpoint_ignored", meeting=meeting.pk, cursor_s=meeting.cursor / SAMPLE_RATE, error=str(error))
        return CaptionSession(config, Checkpoint.at(meeting.cursor).dumps(), sealing=sealing)


def session_config(meeting: Meeting, language: str) -> SessionConfig:
    return SessionConfig(
        language=None if language == AUTO else language,
        allowed=meeting.detectable_languages if language == AUTO else (),
        vocabulary=meeting.vocabulary_terms,
    )
