"""Readable states, groups, directions, outcomes and sizes of models, for operators."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop

from inference.models.residency.plan import gib

WORDS = {
    "empty": gettext_noop("nothing loaded"),
    "transcription": gettext_noop("captions"),
    "to summarization": gettext_noop("to the summariser"),
    "summarization": gettext_noop("summaries"),
    "to transcription": gettext_noop("to captions"),
    "restoring": gettext_noop("captions are brought back"),
    "asleep": gettext_noop("asleep"),
    "lost": gettext_noop("captions lost"),
    "always": gettext_noop("both"),
    "completed": gettext_noop("completed"),
    "failed": gettext_noop("failed"),
    "cancelled": gettext_noop("cancelled"),
    "busy": gettext_noop("busy"),
}
"""Values of `State`, `Group`, `Direction` and `Outcome` in `inference.models.residency`."""

register = template.Library()


@register.filter
def in_words(value: str) -> str:
    """Return the value in the language of the request; unknown values are returned unchanged."""
    return gettext(WORDS[value]) if value in WORDS else value


@register.filter
def binary_size(size: int) -> str:
    """Return a number of bytes as the language of the request writes it, such as 15.2 GiB or 15,2 GiB."""
    number, unit = gib(size).split()
    return f"{number_format(Decimal(number))} {unit}"
