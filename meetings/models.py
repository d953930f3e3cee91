"""Rows: a meeting, its captions, and the frames of its clock. Verbs over them are in `meetings.transcript`."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

MAX_VOCABULARY = 2_000
"""Characters; the decoder's prompt holds about 200 tokens of it."""


def new_meeting_id() -> str:
    """An unguessable id of 72 bits that fits a spoken URL and a channel name."""
    return secrets.token_hex(9)


class State(models.TextChoices):
    """What viewers are told a meeting is doing."""

    WAITING = "waiting", "Waiting for the host"
    LIVE = "live", "Live"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"


class Meeting(models.Model):
    """One meeting: what the host chose, and how far its audio is captioned."""

    id = models.CharField(primary_key=True, max_length=32, default=new_meeting_id, editable=False)
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    language = models.CharField(max_length=8, default="en", help_text="Spoken language, or auto.")
    languages = models.JSONField(default=list, blank=True, help_text="Languages offered beside the spoken one.")
    vocabulary = models.TextField(
        blank=True, max_length=MAX_VOCABULARY, help_text="Names and jargon, separated by commas or lines."
    )
    summary_every_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds between summaries; empty: off."
    )
    allow_downloads = models.BooleanField(default=True, help_text="Viewers may download the transcript.")
    keep_recording = models.BooleanField(default=False, help_text="Keep the audio after it is captioned.")
    link_generation = models.PositiveIntegerField(default=0, help_text="Raise it to revoke every link of this meeting.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING, editable=False)
    last_seq = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Number of the newest stored change."
    )
    cursor = models.PositiveBigIntegerField(default=0, editable=False, help_text="Samples captioned for good.")
    checkpoint = models.TextField(blank=True, editable=False, help_text="Where the caption session resumes.")
    lease_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Fences off a worker that lost its lease."
    )
    missing_s = models.FloatField(default=0.0, editable=False, help_text="Seconds the host's browser could not keep.")

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if not self.title.strip():
            raise ValidationError({"title": "Give the meeting a title."})

    @property
    def vocabulary_terms(self) -> tuple[str, ...]:
        return tuple(term.strip() for line in self.vocabulary.splitlines() for term in line.split(",") if term.strip())


class Caption(models.Model):
    """The present form of one caption; `seq` moves to the end of the series whenever it changes."""

    meeting = models.ForeignKey(Meeting, on_delete=models.CASCADE, related_name="captions")
    segment = models.CharField(max_length=32, help_text="Stable id: where in the audio the caption starts.")
    seq = models.PositiveBigIntegerField()
    revision = models.PositiveIntegerField(default=0)
    start = models.FloatField(help_text="Seconds since the meeting's first sample.")
    end = models.FloatField()
    language = models.CharField(max_length=8)
    text = models.TextField()
    words: models.JSONField[Any, Any] = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("meeting", "start", "segment")
        constraints = (
            models.UniqueConstraint(fields=("meeting", "segment"), name="one_caption_per_segment"),
            models.UniqueConstraint(fields=("meeting", "seq"), name="one_change_per_seq"),
        )

    def __str__(self) -> str:
        return self.text[:80]
