"""What people write instead of what a model wrote: a revision of the line, and nothing that stood there is lost.

Lines are corrected here, as they were said and in other languages; summaries in `meetings.store.summary_corrections`.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from meetings.models import Caption, Correction, Meeting, Translation
from meetings.store.speakers import NoSuchCaption
from meetings.store.transcript import bump_seq, changing, save_revision
from meetings.text import one_line

MAX_TEXT = 2_000
"""Characters; the longest utterance, said very fast, has half as many."""


class UnfitText(ValueError):
    """A text that is no caption; the message is a sentence."""


class ChangedMeanwhile(Exception):
    """The text no longer is what the editor had before them; the message is a sentence."""

    def __init__(self) -> None:
        super().__init__(_("Somebody else has changed this line meanwhile: read it again."))


def correct_text(meeting_id: str, segment: str, text: str, *, editor_id: int | None, seen: str | None = None) -> int:
    """Somebody's wording of one line, which no model changes again; returns the meeting's newest `seq`.

    Translations of the old text go, corrected ones too (`corrected_languages` says which), and are made again once a
    worker is told (`meetings.store.requeue.requeue`).

    Args:
        text: On one line; empty: the line is taken away.
        editor_id: Key of the user; None: who only holds the host's link.
        seen: What the editor had before them; None: whatever stands there is replaced.

    Raises:
        UnfitText, ChangedMeanwhile, NoSuchCaption, NoSuchMeeting: nothing was stored.
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
    """Somebody's wording of one line in another language; returns the meeting's newest `seq`.

    It stands until the line itself is corrected, which no model does.

    Args:
        text: On one line; empty: it is translated anew, once a worker is told (`meetings.store.requeue.requeue`).
        editor_id, seen: As of `correct_text`.

    Raises:
        UnfitText, ChangedMeanwhile, NoSuchCaption, NoSuchMeeting: nothing was stored.
    """
    text = fit_text(text)
    with changing(meeting_id) as meeting:
        caption = _caption(meeting, segment)
        stored = caption.translations.filter(language=language).first() or Translation(
            caption=caption, language=language
        )
        require_seen(seen, stored.text)
        if stored.text != text:
            Correction.objects.create(
                caption=caption, language=language, editor_id=editor_id, before=stored.text, after=text
            )
            _replace(stored, text)
            bump_seq(meeting, caption)
    return meeting.last_seq


def corrected_languages(caption: Caption) -> list[str]:
    """Those of its translations that are somebody's own wording."""
    return list(caption.translations.filter(is_text_fixed=True).values_list("language", flat=True))


def fit_text(text: str) -> str:
    """The text as it is stored: one line, without invisible controls. Raises UnfitText."""
    text = one_line(text)
    if len(text) > MAX_TEXT:
        raise UnfitText(_("A line has at most %(count)d characters.") % {"count": MAX_TEXT})
    return text


def require_seen(seen: str | None, present: str) -> None:
    """Raises ChangedMeanwhile where the editor saw other words; None: they need not have seen any."""
    if seen is not None and one_line(seen) != one_line(present):
        raise ChangedMeanwhile


def _caption(meeting: Meeting, segment: str) -> Caption:
    """Raises NoSuchCaption."""
    caption = Caption.objects.filter(meeting=meeting, segment=segment).first()
    if caption is None:
        raise NoSuchCaption(f"There is no line {segment}.")
    return caption


def _replace(translation: Translation, text: str) -> None:
    """An empty one is no longer there, as one that was never made."""
    if text:
        translation.text, translation.is_translated, translation.is_text_fixed = text, True, True
        translation.save()
    else:
        translation.delete()
