"""Requests of operators to workers, and messages with their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from meetings.models import Meeting
from meetings.store.reprocess import corrected_translations, summarise_now, translate_again


def ask_for_summaries(request: HttpRequest, meetings: Iterable[Meeting]) -> None:
    """Request a summary of each meeting."""
    _ask(
        request,
        meetings,
        summarise_now,
        done=_("Summaries asked for: %(count)d."),
        refused=_("There is nothing new to summarise: %(count)d of the meetings."),
    )


def ask_for_translations(request: HttpRequest, meetings: Iterable[Meeting]) -> None:
    """Translate each meeting again, except for corrected translations."""
    _ask(
        request,
        meetings,
        translate_again,
        done=_("Translations asked for: %(count)d."),
        refused=_("Nothing to translate into: %(count)d of the meetings."),
    )
    kept = sum(corrected_translations(meeting) for meeting in meetings)
    if kept:
        messages.info(request, _("Corrected translations stay as they are: %(count)d.") % {"count": kept})


def _ask(
    request: HttpRequest,
    meetings: Iterable[Meeting],
    ask: Callable[[Meeting], bool],
    *,
    done: str,
    refused: str,
) -> None:
    try:
        asked = [ask(meeting) for meeting in meetings]
    except (RedisError, OSError):
        messages.error(request, _("The broker does not answer: try again."))
        return
    if any(asked):
        messages.success(request, done % {"count": sum(asked)})
    if not all(asked):
        messages.warning(request, refused % {"count": len(asked) - sum(asked)})
