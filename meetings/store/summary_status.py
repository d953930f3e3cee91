"""Why a summary is put off: map errors to stored values, and those to sentences for the host."""

from __future__ import annotations

from django.utils.translation import gettext, gettext_noop

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.drain_lock import ModelInUse
from inference.models.residency.plan import DoesNotFit
from inference.models.residency.pool import SwapUnderWay
from meetings.models import SummaryFailure

FAILURE_SENTENCES: dict[SummaryFailure, str] = {
    SummaryFailure.BROKEN_OFF: gettext_noop("The summary was broken off; captions went on."),
    SummaryFailure.STOPPED: gettext_noop("The summary was put off by whoever runs this server."),
    SummaryFailure.BUSY: gettext_noop(
        "The summary was put off: captions needed the models for longer than it could wait."
    ),
    SummaryFailure.MISSING: gettext_noop(
        "The summary was put off: the model that writes it is missing or damaged. Tell whoever runs this server."
    ),
    SummaryFailure.NO_ROOM: gettext_noop(
        "The summary was put off: there is too little memory for the model that writes it. "
        "Tell whoever runs this server."
    ),
    SummaryFailure.FAILED: gettext_noop("The summary was put off: the model that writes it failed."),
    SummaryFailure.UNPACKING: gettext_noop(
        "The summary waits: the model that writes it is being unpacked, once, for about a minute."
    ),
    SummaryFailure.NONE_HERE: gettext_noop(
        "No summary can be written: this server has no model for it. Whoever runs it can fetch one and start it again."
    ),
    SummaryFailure.TOO_LARGE: gettext_noop(
        "No summary can be written: the model for it is larger than the memory that it may use. "
        "Whoever runs this server can choose a smaller one and start it again."
    ),
}

PERMANENT = (SummaryFailure.NONE_HERE, SummaryFailure.TOO_LARGE)
"""Retrying does not help until the server is restarted."""

CAUSES: tuple[tuple[tuple[type[Exception], ...], SummaryFailure], ...] = (
    ((ModelMissing, ModelCorrupt), SummaryFailure.MISSING),
    ((DoesNotFit, MemoryError), SummaryFailure.NO_ROOM),
    ((ModelInUse, SwapUnderWay), SummaryFailure.BUSY),
)


def failure_of(error: BaseException) -> SummaryFailure:
    """Return the failure of an attempt, by the cause of the error if it has one."""
    cause = error.__cause__ or error
    return next((failure for kinds, failure in CAUSES if isinstance(cause, kinds)), SummaryFailure.FAILED)


def failure_of_absence(error: Exception | None) -> SummaryFailure:
    """Return why a worker has no summarizer; `error`: what prevented loading it, if anything."""
    return SummaryFailure.TOO_LARGE if isinstance(error, DoesNotFit) else SummaryFailure.NONE_HERE


def sentence(failure: str) -> str | None:
    """Return the sentence for people in the interface language; None: nothing to report."""
    told = FAILURE_SENTENCES.get(SummaryFailure(failure)) if failure in SummaryFailure.values else None
    return gettext(told) if told else None


def is_permanent(failure: str) -> bool:
    return failure in PERMANENT
