"""Models: a meeting, its speakers, captions, translations and summaries. Functions over them: `meetings.store`."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from meetings.models.locked_deletion import LockedDeletion
from meetings.text import one_line

MAX_VOCABULARY = 2_000
"""Characters; the decoder's prompt holds about 200 tokens of it."""

MAX_SPEAKER_NAME = 80
MAX_SPEAKERS = 20
"""Maximum that a host may specify."""

MAX_FILE_NAME = 255

SPEAKER_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
"""Okabe and Ito's palette for colour-blind people (https://jfly.uni-koeln.de/color/), with grey in place of black."""

UNSURE = "?"
"""In place of a speaker's label: it cannot be determined who spoke."""


def new_meeting_id() -> str:
    """Return an unguessable id of 72 bits that suits a spoken URL and a channel name."""
    return secrets.token_hex(9)


class State(models.TextChoices):
    """The state of a meeting as shown to viewers."""

    WAITING = "waiting", gettext_lazy("Waiting for the host")
    LIVE = "live", gettext_lazy("Live")
    PAUSED = "paused", gettext_lazy("Paused")
    ENDED = "ended", gettext_lazy("Ended")


class Meeting(LockedDeletion):
    """A meeting: the host's settings, and how far its audio is captioned."""

    id = models.CharField(primary_key=True, max_length=32, default=new_meeting_id, editable=False)
    title = models.CharField(gettext_lazy("title"), max_length=200)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=gettext_lazy("owner"), null=True, blank=True, on_delete=models.SET_NULL
    )
    language = models.CharField(
        gettext_lazy("language"), max_length=8, default="en", help_text="Spoken language, or auto."
    )
    languages = models.JSONField(default=list, blank=True, help_text="Languages offered beside the spoken one.")
    spoken_languages = models.JSONField(
        default=list, blank=True, help_text="With auto: the languages that may be spoken; empty: found out."
    )
    vocabulary = models.TextField(
        blank=True, max_length=MAX_VOCABULARY, help_text="Names and jargon, separated by commas or lines."
    )
    expected_speakers = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SPEAKERS)],
        help_text="How many people speak; empty: found out.",
    )
    summary_every_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds between summaries; empty: off."
    )
    summary_asked_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="One is wanted now.")
    # Only processes of the previous version use these two: `SummaryAttempt` replaces them. The next version drops them.
    summary_not_before = models.DateTimeField(null=True, blank=True, editable=False)
    summary_trouble = models.CharField(max_length=16, blank=True, editable=False)
    allow_downloads = models.BooleanField(default=True, help_text="Viewers may download the transcript.")
    allow_transcript = models.BooleanField(
        default=True, help_text="Viewers may read the transcript on a page, and hear the recording where it is kept."
    )
    keep_recording = models.BooleanField(default=False, help_text="Keep the audio after it is captioned.")
    is_read_again = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Keep the audio until the transcript has been read again, if it is not kept longer.",
    )
    link_generation = models.PositiveIntegerField(default=0, help_text="Raise it to revoke every link of this meeting.")
    link_password = models.CharField(
        max_length=128, blank=True, editable=False, help_text="Hash; empty: none is asked."
    )
    links_expire_at = models.DateTimeField(
        gettext_lazy("links expire"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Links of viewers stop working then."),
    )
    code_digest = models.CharField(
        max_length=32,
        blank=True,
        default="",
        db_default="",
        db_index=True,
        editable=False,
        help_text="Finds the meeting by its code, once that was shown.",
    )
    is_ephemeral = models.BooleanField(
        gettext_lazy("not kept"), default=False, help_text=gettext_lazy("Nothing is kept after the end.")
    )
    created_at = models.DateTimeField(gettext_lazy("created"), auto_now_add=True)
    started_at = models.DateTimeField(gettext_lazy("started"), null=True, blank=True)
    ended_at = models.DateTimeField(gettext_lazy("ended"), null=True, blank=True)

    state = models.CharField(
        gettext_lazy("state"), max_length=16, choices=State.choices, default=State.WAITING, editable=False
    )
    last_seq = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Number of the newest stored change."
    )
    cursor = models.PositiveBigIntegerField(default=0, editable=False, help_text="Samples captioned for good.")
    checkpoint = models.TextField(blank=True, editable=False, help_text="Where the caption session resumes.")
    recorded_until = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False, help_text="Samples that are in the kept recording, without a hole."
    )
    lease_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Fences off a worker that lost its lease."
    )
    is_leased = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="A worker took it and has not given it back: it works on it, or died.",
    )
    results_seq = models.PositiveBigIntegerField(
        null=True, editable=False, help_text="Newest change that is in the stored transcript files."
    )
    results_attempts = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Tries to store these files since they were stored last."
    )
    results_not_before = models.DateTimeField(
        null=True, editable=False, help_text="When that is tried again; empty: whenever there is something new."
    )
    missing_s = models.FloatField(default=0.0, editable=False, help_text="Seconds the host's browser could not keep.")

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("meeting"), gettext_lazy("meetings")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Take out of the title what nobody sees, and what makes it read as another one."""
        title = one_line(self.title)
        if self.title and not title:
            raise ValidationError({"title": _("Give the meeting a title.")})
        self.title = title

    @property
    def detectable_languages(self) -> tuple[str, ...]:
        """Return the candidates when the spoken language is detected; empty: any.

        If none is set as spoken, and two or more are offered, those are the candidates.
        """
        return tuple(self.spoken_languages or (self.languages if len(self.languages) > 1 else ()))

    @property
    def vocabulary_terms(self) -> tuple[str, ...]:
        return tuple(term.strip() for line in self.vocabulary.splitlines() for term in line.split(",") if term.strip())


class Stage(models.TextChoices):
    """The parts of the work on a meeting that can fail independently."""

    CAPTIONS = "captions", gettext_lazy("Captions")
    SPEAKERS = "speakers", gettext_lazy("Speakers")
    TRANSLATION = "translation", gettext_lazy("Translation")


class StageFailure(models.Model):
    """Failed attempts at one stage of a meeting; deleted when the stage gets past the position.

    Functions and limit are in `meetings.store.stage_failures`.
    """

    meeting = models.ForeignKey(Meeting, on_delete=models.CASCADE, related_name="stage_failures")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    attempts = models.PositiveSmallIntegerField(default=0)
    position = models.PositiveBigIntegerField(default=0, help_text="Samples captioned for good when it failed.")
    error = models.CharField(max_length=120, help_text="Class of the last error; never its text.")
    set_aside_at = models.DateTimeField(null=True, blank=True, help_text="No worker tries any more since then.")
    version = models.CharField(max_length=64, blank=True, help_text="Of the code that set it aside.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-updated_at",)
        constraints = (models.UniqueConstraint(fields=("meeting", "stage"), name="one_failure_per_stage"),)

    def __str__(self) -> str:
        return f"{self.stage}: {self.attempts}"


class SummaryFailure(models.TextChoices):
    """Why a summary is put off; `meetings.store.summary_status.sentence` turns it into a sentence."""

    BROKEN_OFF = "broken_off"
    """Its worker died, or lost the meeting."""
    STOPPED = "stopped"
    BUSY = "busy"
    MISSING = "missing"
    NO_ROOM = "no_room"
    FAILED = "failed"
    NONE_HERE = "none_here"
    TOO_LARGE = "too_large"
    UNPACKING = "unpacking"


class AttemptState(models.TextChoices):
    """The state of the attempts at a summary."""

    WAITING = "waiting"
    """None is under way, and nothing is wrong."""
    UNDER_WAY = "under_way"
    """A worker that takes over a meeting in this state knows that the attempt was aborted."""
    PUT_OFF = "put_off"
    """`error` says why."""


class SummaryAttempt(models.Model):
    """The attempts at a meeting's next summary. Without a row none was made since the last summary.

    Whether a summary is wanted is derived from the meeting. Functions are in `meetings.store.summary_attempts`.
    """

    meeting = models.OneToOneField(Meeting, on_delete=models.CASCADE, primary_key=True, related_name="summary_attempt")
    state = models.CharField(max_length=16, choices=AttemptState.choices, default=AttemptState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="That failed, since the host asked last.")
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="When the next may begin; empty: as soon as one is wanted."
    )
    error = models.CharField(max_length=16, blank=True, choices=SummaryFailure.choices)

    def __str__(self) -> str:
        return f"{self.state}: {self.attempts}"


class UploadState(models.TextChoices):
    """The progress of a recording."""

    RECEIVING = "receiving", gettext_lazy("Uploading")
    WAITING = "waiting", gettext_lazy("Waiting for its turn")
    CAPTIONING = "captioning", gettext_lazy("Being captioned")
    READY = "ready", gettext_lazy("Ready")
    FAILED = "failed", gettext_lazy("Not captioned to its end")


class UploadFailure(models.TextChoices):
    """Why a recording is not captioned to its end; `meetings.store.uploads.sentence` turns it into a sentence.

    Includes every `inference.media.protocol.Reason`.
    """

    UNREADABLE = "unreadable"
    NO_SOUND = "no_sound"
    PLAYLIST = "playlist"
    SAMPLE_RATE = "sample_rate"
    CHANNELS = "channels"
    TRACKS = "tracks"
    NO_TRACK = "no_track"
    NO_HEADER = "no_header"
    TOO_LONG = "too_long"
    MEMORY = "memory"
    CRASHED = "crashed"
    HUNG = "hung"
    TIME = "time"
    DAMAGED = "damaged"
    """Only of uploads before 2026-12: damaged parts are now skipped, and the rest is captioned."""
    MISSING = "missing"
    """The file is gone."""
    SET_ASIDE = "set_aside"
    """Captioning failed too often; another version of the code tries again."""


class Upload(models.Model):
    """The recording that a meeting is made from. The size of its file is how much has arrived."""

    meeting = models.OneToOneField(Meeting, on_delete=models.CASCADE, primary_key=True, related_name="upload")
    name = models.CharField(max_length=MAX_FILE_NAME)
    size = models.PositiveBigIntegerField(help_text="Bytes of the whole file.")
    modified = models.PositiveBigIntegerField(default=0, help_text="Milliseconds since 1970, as the browser says.")
    state = models.CharField(max_length=16, choices=UploadState.choices, default=UploadState.RECEIVING)
    seconds = models.FloatField(null=True, blank=True, help_text="Length of the sound; empty: not known yet.")
    missing_s = models.FloatField(
        default=0.0,
        db_default=0.0,
        null=True,
        help_text="Seconds that could not be read; empty: it breaks off, and has no length.",
    )
    input_format = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text="What a file without a header holds."
    )
    track = models.CharField(
        max_length=4, blank=True, default="", db_default="", help_text="Number of the audio track, or `all`."
    )
    is_speaker_per_channel = models.BooleanField(
        default=False, db_default=False, help_text="Each channel is a speaker of its own."
    )
    channel_turns = models.JSONField(
        null=True, blank=True, help_text="Start, end and channel of the speech on each channel, if they are speakers."
    )
    tracks = models.PositiveSmallIntegerField(default=1, db_default=1, help_text="Audio tracks in the file.")
    tracks_heard = models.CharField(
        max_length=50, blank=True, default="", db_default="", help_text="Numbers of the tracks that are captioned."
    )
    sound = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text="What the recording holds, once it is read."
    )
    is_awaited = models.BooleanField(
        default=False, db_default=False, help_text="A program waits for the text, so it comes before other recordings."
    )
    is_read_again = models.BooleanField(
        default=True, db_default=True, help_text="The recording is read a second time when it is captioned."
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Openings since it last went on.")
    failure = models.CharField(
        max_length=16, choices=UploadFailure.choices, blank=True, help_text="While it is captioned: of the last try."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name


class SecondPassState(models.TextChoices):
    """How far the second reading of a recording is."""

    WAITING = "waiting"
    READING = "reading"
    DONE = "done"
    FAILED = "failed"


class SecondPass(models.Model):
    """The second reading of an ended meeting's recording. Without a row there is none.

    Functions are in `meetings.store.second_passes`.
    """

    meeting = models.OneToOneField(Meeting, on_delete=models.CASCADE, primary_key=True, related_name="second_pass")
    state = models.CharField(max_length=16, choices=SecondPassState.choices, default=SecondPassState.WAITING)
    epoch = models.PositiveIntegerField(default=0, help_text="Fences off a worker that lost it.")
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker reads until then, and longer if it renews the claim."
    )
    not_before = models.DateTimeField(null=True, blank=True, help_text="When it may begin again, after a failure.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Since it last went on.")
    position = models.PositiveBigIntegerField(default=0, help_text="Samples that are read again for good.")
    is_sound_held = models.BooleanField(default=True, help_text="Sound that the meeting does not keep may be left.")
    error = models.CharField(max_length=120, blank=True, help_text="Class of the last error; never its text.")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return f"{self.state}: {self.position}"


class Tombstone(models.Model):
    """A deleted meeting of which data outside the database may remain.

    The row is written in the transaction that deletes the meeting, and deleted when nothing can be written after it.
    Functions are in `meetings.store.tombstones`.
    """

    meeting_id = models.CharField(primary_key=True, max_length=32)
    has_results = models.BooleanField(default=True, db_default=True, help_text="Transcript files of it may be stored.")
    are_traces_erased = models.BooleanField(
        default=False,
        db_default=False,
        help_text="What the files of database and broker keep of it is erased, or will be.",
    )
    attempts = models.PositiveIntegerField(default=0, db_default=0, help_text="Tries since one succeeded.")
    not_before = models.DateTimeField(
        default=timezone.now, db_default=Now(), db_index=True, help_text="When it is looked after next."
    )
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        # The old name and database defaults are kept because processes of the previous version write it too.
        db_table = "meetings_discardedresults"
        ordering = ("created_at",)

    def __str__(self) -> str:
        return self.meeting_id


class Speaker(models.Model):
    """A distinct voice of the meeting. No voice print is stored: that would be biometric data."""

    meeting = models.ForeignKey(
        Meeting, verbose_name=gettext_lazy("meeting"), on_delete=models.CASCADE, related_name="speakers"
    )
    label = models.CharField(
        gettext_lazy("label"),
        max_length=16,
        help_text=gettext_lazy("S1, S2 … in the order in which voices were first known."),
    )
    name = models.CharField(
        gettext_lazy("name"), max_length=MAX_SPEAKER_NAME, blank=True, help_text=gettext_lazy("As the host calls them.")
    )
    merged_into = models.CharField(
        gettext_lazy("merged into"),
        max_length=16,
        blank=True,
        help_text=gettext_lazy("Label of the speaker that this one turned out to be."),
    )
    seq = models.PositiveBigIntegerField()

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("speaker"), gettext_lazy("speakers")
        ordering = ("meeting", "id")
        constraints = (models.UniqueConstraint(fields=("meeting", "label"), name="one_speaker_per_label"),)

    def __str__(self) -> str:
        return self.display_name

    @property
    def number(self) -> int:
        """Counted from 1."""
        return int(self.label.removeprefix("S"))

    @property
    def display_name(self) -> str:
        """The name shown to people."""
        return self.name or _("Speaker %(number)d") % {"number": self.number}

    @property
    def color(self) -> str:
        """One of SPEAKER_COLORS; colours repeat with more speakers, so the name is always shown with it."""
        return SPEAKER_COLORS[(self.number - 1) % len(SPEAKER_COLORS)]


class Caption(models.Model):
    """The present form of one caption; every change gives it the next `seq`.

    Where the speaker changes within an utterance, the utterance is several captions: the first has its segment id, the
    others `<id>.1`, `<id>.2`. A caption that is no longer needed stays with an empty text, so that screens remove it.
    """

    meeting = models.ForeignKey(
        Meeting, verbose_name=gettext_lazy("meeting"), on_delete=models.CASCADE, related_name="captions"
    )
    segment = models.CharField(
        gettext_lazy("segment"),
        max_length=32,
        help_text=gettext_lazy("Stable id: where in the audio the caption starts."),
    )
    utterance = models.CharField(max_length=32, help_text="Segment id of the utterance that it is a part of.")
    speaker = models.CharField(max_length=16, blank=True, help_text="Label; ?: unsure; empty: not told yet.")
    is_speaker_fixed = models.BooleanField(default=False, help_text="The host said who spoke; no model changes it.")
    is_text_fixed = models.BooleanField(
        gettext_lazy("corrected"),
        default=False,
        help_text=gettext_lazy("Somebody corrected the text; no model changes it."),
    )
    is_open = models.BooleanField(
        default=False, db_default=False, help_text="It is still being spoken: what is stored is its beginning."
    )
    seq = models.PositiveBigIntegerField()
    revision = models.PositiveIntegerField(default=0)
    start = models.FloatField(help_text="Seconds since the meeting's first sample.")
    end = models.FloatField()
    language = models.CharField(gettext_lazy("language"), max_length=8)
    text = models.TextField(gettext_lazy("text"))
    words: models.JSONField[Any, Any] = models.JSONField(default=list)
    created_at = models.DateTimeField(gettext_lazy("created"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("caption"), gettext_lazy("captions")
        ordering = ("meeting", "start", "segment")
        constraints = (
            models.UniqueConstraint(fields=("meeting", "segment"), name="one_caption_per_segment"),
            models.UniqueConstraint(fields=("meeting", "seq"), name="one_change_per_seq"),
        )
        indexes = (
            models.Index(fields=("meeting", "utterance"), name="captions_of_utterance"),
            models.Index(fields=("meeting", "end"), name="captions_by_end"),
        )

    def __str__(self) -> str:
        """Not the spoken text, because the admin logs the names of rows."""
        return self.segment


class Translation(models.Model):
    """The translation of a caption's present text, or the text itself where no model could translate it.

    While a caption is open, it may be that of its beginning.
    """

    caption = models.ForeignKey(
        Caption, verbose_name=gettext_lazy("caption"), on_delete=models.CASCADE, related_name="translations"
    )
    language = models.CharField(gettext_lazy("language"), max_length=8)
    text = models.TextField(gettext_lazy("text"))
    is_behind = models.BooleanField(
        default=False, db_default=False, help_text="The caption has grown since it was translated."
    )
    is_translated = models.BooleanField(
        gettext_lazy("translated"), default=True, help_text=gettext_lazy("False: a part stands as it was said.")
    )
    is_text_fixed = models.BooleanField(
        gettext_lazy("corrected"),
        default=False,
        help_text=gettext_lazy("Somebody corrected the text; no model changes it."),
    )

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("translation"), gettext_lazy("translations")
        ordering = ("caption", "language")
        constraints = (models.UniqueConstraint(fields=("caption", "language"), name="one_translation_per_language"),)

    def __str__(self) -> str:
        return self.language

    @property
    def is_shown(self) -> bool:
        """Whether readers see it. Where nothing of it is translated they see the caption, in its own language."""
        return self.is_translated or self.text != self.caption.text


class Summary(models.Model):
    """A summary of a part of the meeting, with action items. Every item names the captions it comes from."""

    meeting = models.ForeignKey(
        Meeting, verbose_name=gettext_lazy("meeting"), on_delete=models.CASCADE, related_name="summaries"
    )
    seq = models.PositiveBigIntegerField(gettext_lazy("number of the change"))
    from_s = models.FloatField(
        gettext_lazy("from (seconds)"), help_text=gettext_lazy("Seconds since the meeting's first sample.")
    )
    to_s = models.FloatField(gettext_lazy("until (seconds)"))
    language = models.CharField(gettext_lazy("language"), max_length=8)
    text = models.TextField(gettext_lazy("text"), blank=True)
    items: models.JSONField[Any, Any] = models.JSONField(default=list)
    translations: models.JSONField[Any, Any] = models.JSONField(
        default=dict,
        blank=True,
        help_text="Text and the items' texts by language; `is_fixed`: somebody corrected them.",
    )
    created_at = models.DateTimeField(gettext_lazy("created"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("summary"), gettext_lazy("summaries")
        ordering = ("meeting", "from_s")

    def __str__(self) -> str:
        return f"{self.from_s:.0f}–{self.to_s:.0f} s"


class Correction(models.Model):
    """A change by a person to a model's text in a caption, a translation or a summary.

    `before` of a text's first correction is the model's wording.
    """

    caption = models.ForeignKey(Caption, null=True, blank=True, on_delete=models.CASCADE, related_name="corrections")
    summary = models.ForeignKey(Summary, null=True, blank=True, on_delete=models.CASCADE, related_name="corrections")
    language = models.CharField(
        gettext_lazy("language"),
        max_length=8,
        blank=True,
        help_text=gettext_lazy("Of a translation; empty: of what was said, or of the summary as written."),
    )
    item = models.PositiveSmallIntegerField(
        gettext_lazy("item"),
        null=True,
        blank=True,
        help_text=gettext_lazy("Of a summary's items, counted from 1 as they were then; empty: its own text."),
    )
    editor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=gettext_lazy("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=gettext_lazy("Empty: whoever held the host's link, or an account that is gone."),
    )
    before = models.TextField(gettext_lazy("before"), blank=True)
    after = models.TextField(gettext_lazy("after"), blank=True)
    created_at = models.DateTimeField(gettext_lazy("when"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("correction"), gettext_lazy("corrections")
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(caption=None, summary__isnull=False) | models.Q(caption__isnull=False, summary=None),
                name="correction_of_one_thing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S}"


class LagSample(models.Model):
    """How far the captions of a live meeting lagged behind the audio at a moment, for a chart."""

    meeting = models.ForeignKey(Meeting, on_delete=models.CASCADE, related_name="lag_samples")
    at = models.DateTimeField()
    behind_s = models.FloatField()

    class Meta:
        ordering = ("meeting", "at")
        indexes = (models.Index(fields=("at",), name="lag_sample_at"),)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S}"


class Swap(models.Model):
    """One swap of the models on a worker's device, for operators."""

    worker = models.CharField(gettext_lazy("worker"), max_length=80)
    direction = models.CharField(gettext_lazy("direction"), max_length=32)
    outcome = models.CharField(gettext_lazy("outcome"), max_length=16)
    reason = models.TextField(gettext_lazy("reason"), blank=True)
    seconds = models.FloatField(gettext_lazy("seconds"))
    gibibytes = models.FloatField(gettext_lazy("GiB"), help_text=gettext_lazy("Weights that came to the device."))
    gigabytes_per_s = models.FloatField(
        gettext_lazy("GB/s"), help_text=gettext_lazy("10⁹ bytes a second while they came.")
    )
    steps: models.JSONField[Any, Any] = models.JSONField(gettext_lazy("steps"), default=list)
    created_at = models.DateTimeField(gettext_lazy("created"), auto_now_add=True)

    class Meta:
        verbose_name, verbose_name_plural = gettext_lazy("swap of models"), gettext_lazy("swaps of models")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.direction}, {self.outcome}"
