"""What people write instead of what a model heard: a revision of the caption, and nothing that stood there is lost."""

from __future__ import annotations

from django.utils.translation import gettext as _

from meetings.cues import one_line
from meetings.models import Caption, CaptionEdit
from meetings.speakers import NoSuchCaption
from meetings.transcript import changing, put

MAX_TEXT = 2_000
"""Characters; the longest utterance, said very fast, has half as many."""


class UnfitText(ValueError):
    """A text that is no caption; the message is a sentence."""


class ChangedMeanwhile(Exception):
    """The caption no longer says what the editor had before them; the message is a sentence."""

    def __init__(self) -> None:
        super().__init__(_("Somebody else has changed this line meanwhile: read it again."))


def correct_text(meeting_id: str, segment: str, text: str, *, editor_id: int | None, seen: str | None = None) -> int:
    """Somebody's wording of one line, which no model changes again; returns the meeting's newest `seq`.

    Translations of the old text go, and are made again once a worker is told (`meetings.waking.wake`).

    Args:
        text: On one line; empty: the line is taken away.
        editor_id: Key of the user; None: who only holds the host's link.
        seen: What the editor had before them; None: whatever stands there is replaced.

    Raises:
        UnfitText, ChangedMeanwhile, NoSuchCaption, NoSuchMeeting: nothing was stored.
    """
    text = fit_text(text)
    with changing(meeting_id) as meeting:
        caption = Caption.objects.filter(meeting=meeting, segment=segment).first()
        if caption is None:
            raise NoSuchCaption(f"There is no line {segment}.")
        if seen is not None and caption.text != seen:
            raise ChangedMeanwhile
        if caption.text != text:
            CaptionEdit.objects.create(caption=caption, editor_id=editor_id, before=caption.text, after=text)
            put(meeting, caption, text=text, is_text_fixed=True)
    return meeting.last_seq


def fit_text(text: str) -> str:
    """The text as it is stored: one line, without invisible controls. Raises UnfitText."""
    text = one_line(text)
    if len(text) > MAX_TEXT:
        raise UnfitText(_("A line has at most %(count)d characters.") % {"count": MAX_TEXT})
    return text
