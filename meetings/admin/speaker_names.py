"""Speakers of captions by the names that people read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from meetings.models import UNSURE, Caption, Speaker


def with_speaker_names(captions: QuerySet[Caption]) -> QuerySet[Caption]:
    """Annotate `given_name`, the name that the host gave the speaker, or None."""
    speaker = Speaker.objects.filter(meeting=OuterRef("meeting"), label=OuterRef("speaker"))
    return captions.annotate(given_name=Subquery(speaker.values("name")[:1]))


def shown_name(caption: Any) -> str:
    """Return what stands before a caption of `with_speaker_names`; a dash: nobody is known yet."""
    if caption.speaker in ("", UNSURE):
        return _("Unknown speaker") if caption.speaker else "–"
    return caption.given_name or Speaker(label=caption.speaker).display_name


def names_of(captions: Iterable[Caption]) -> dict[int, str]:
    """Return the names by the captions' keys, in one query."""
    keys = [caption.pk for caption in captions]
    return {row.pk: shown_name(row) for row in with_speaker_names(Caption.objects.filter(pk__in=keys))}
