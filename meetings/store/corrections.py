"""Corrections of captions and translations by people. Each is a revision of the line, and the old text is kept.

Summaries are corrected in `meetings.store.summary_corrections`.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from meetings.models import Caption, Correction, Meeting, State, Translation
from meetings.store.speakers import NoSuchCaption
from meetings.store.transcript import bump_seq, changing, save_revision
from meetings.text import one_line

MAX_TEXT = 2_000
"""Characters; twice the length of the longest utterance, spoken very fast."""


class UnfitText(ValueError):
    """The text cannot be a caption; the message is a sentence for people."""


class StillOpen(UnfitText):
    """The line is still being spoken."""

    def __init__(self) -> None:
        super().__init__(_("This line is still being spoken. Correct it once it is complete."))


class ChangedMeanwhile(Exception):
    """The text has changed since the editor saw it; the message is a sentence for people."""

    def __init__(self) -> None:
        super().__init__(_("Somebody else has changed this line meanwhile: read it again."))


def correct_text(meeting_id: str, segment: str, text: str, *, editor_id: int | None, seen: str | None = None) -> int:
    """Replace the text of a caption, which no model changes again; return the meeting's newest `seq`.

    Translations of the old text are deleted, corrected ones too (`corrected_languages` lists those). They are made
    again when a worker is notified (`meetings.store.requeue.requeue`).

    Args:
        text: One line; empty: the caption is removed.
        editor_id: Key of the user; None: the editor only holds the host's link.
        seen: The text that the editor saw; None: replace whatever is stored.

    Raises:
        UnfitText, StillOpen, ChangedMeanwhile, NoSuchCaption, NoSuchMeeting: nothing was stored.
    """
    text = fit_text(text)
    with changing(meeting_id) as meeting:
        caption = _caption(meeting, segment)
        require_seen(seen, caption.text)
        if caption.text != text:
            Correction.objects.create(caption=caption, editor_id=editor_id, before=caption.text, after=text)
            save_revision(meeting, caption, text=text, is_text_fixed=True)
    return meeting.last_seq


def correct_translation(
    meeting_id: str, segment: str, language: str, text: str, *, editor_id: int | None, seen: str | None = None
) -> int:
    """Replace the translation of a caption; return the meeting's newest `seq`.

    It is kept until a person corrects the caption itself.

    Args:
        text: One line; empty: translate again when a worker is notified (`meetings.store.requeue.requeue`).
        editor_id, seen: As for `correct_text`.

    Raises:
        UnfitText, StillOpen, ChangedMeanwhile, NoSuchCaption, NoSuchMeeting: nothing was stored.
    """
    text = fit_text(text)
    with changing(meeting_id) as meeting:
        caption = _caption(meeting, segment)
        stored = caption.translations.filter(language=language).first() or Translation(
            caption=caption, language=language
        )
        if seen or stored.is_shown:  # else the editor saw none, as all readers
            require_seen(seen, stored.text)
        if stored.text != text:
            Correction.objects.create(
                caption=caption, language=language, editor_id=editor_id, before=stored.text, after=text
            )
            _replace(stored, text)
            bump_seq(meeting, caption)
    return meeting.last_seq


def corrected_languages(caption: Caption) -> list[str]:
    """Return the languages in which a person has corrected the translation."""
    return list(caption.translations.filter(is_text_fixed=True).values_list("language", flat=True))


def fit_text(text: str) -> str:
    """Return the text as it is stored: one line, without invisible controls. Raises UnfitText."""
    text = one_line(text)
    if len(text) > MAX_TEXT:
        raise UnfitText(_("A line has at most %(count)d characters.") % {"count": MAX_TEXT})
    return text


def require_seen(seen: str | None, present: str) -> None:
    """Raise ChangedMeanwhile if the editor saw another text; None: the editor need not have seen any."""
    if seen is not None and one_line(seen) != one_line(present):
        raise ChangedMeanwhile


def _caption(meeting: Meeting, segment: str) -> Caption:
    """Return the caption. Raises NoSuchCaption, and StillOpen if a worker would go on with its text."""
    caption = Caption.objects.filter(meeting=meeting, segment=segment).first()
    if caption is None:
        raise NoSuchCaption(f"There is no line {segment}.")
    if caption.is_open and meeting.state != State.ENDED:
        raise StillOpen
    return caption


def _replace(translation: Translation, text: str) -> None:
    """Store the text. An empty one deletes the row, as if it had never been translated."""
    if text:
        translation.text, translation.is_translated, translation.is_text_fixed = text, True, True
        translation.save()
    else:
        translation.delete()
