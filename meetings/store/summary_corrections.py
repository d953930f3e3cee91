"""Corrections of summaries and their translations by people; every old text is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meetings.models import Correction, Summary
from meetings.store.corrections import ChangedMeanwhile, fit_text, require_seen
from meetings.store.summaries import is_corrected, texts_of
from meetings.store.transcript import changing

AS_WRITTEN = ""
"""In place of a language: the summary as written."""


class NoSuchSummary(Exception):
    """The meeting has no such summary, or no longer has it."""


@dataclass(frozen=True, slots=True)
class Rewording:
    """The new wording of one text of a summary."""

    place: int
    """0: its own text; from 1: its items."""
    text: str
    seen: str | None = None
    """The text that the editor saw; None: replace whatever is stored."""


def correct_summary(
    meeting_id: str, summary_id: int, rewordings: Mapping[str, Sequence[Rewording]], *, editor_id: int | None
) -> int:
    """Correct the texts of a summary; return the meeting's newest `seq`.

    No later summary changes it. Correcting the original deletes its translations, corrected ones too
    (`corrected_languages` lists those), except those corrected in the same call. They are made again when a worker is
    notified (`meetings.store.requeue.requeue`).

    Args:
        rewordings: By language, or `AS_WRITTEN`. An empty item is removed; in a translation, an empty text whose
            original is not empty has the whole translation made again.
        editor_id: Key of the user; None: the editor only holds the host's link.

    Raises:
        UnfitText, ChangedMeanwhile, NoSuchSummary, NoSuchMeeting: nothing was stored.
    """
    with changing(meeting_id) as meeting:
        summary = Summary.objects.filter(meeting=meeting, pk=summary_id).first()
        if summary is None:
            raise NoSuchSummary(f"There is no summary {summary_id}.")
        present = wordings(summary)
        corrected = {language: _reworded(present, language, asked) for language, asked in rewordings.items()}
        changed = {language: texts for language, texts in corrected.items() if texts != present.get(language, [])}
        if changed:
            Correction.objects.bulk_create(_history(summary, present, changed, editor_id))
            _write(summary, present, changed)
            meeting.last_seq += 1
            summary.seq = meeting.last_seq
            summary.save(update_fields=("seq", "text", "items", "translations"))
    return meeting.last_seq


def wordings(summary: Summary) -> dict[str, list[str]]:
    """Return the summary's text, then those of its items: as written, and in every language it is translated into."""
    translated = {language: [texts["text"], *texts["items"]] for language, texts in summary.translations.items()}
    return {AS_WRITTEN: texts_of(summary), **translated}


def corrected_languages(summary: Summary) -> list[str]:
    """Return the languages in which a person has corrected the translation."""
    return sorted(language for language in summary.translations if is_corrected(summary, language))


def _reworded(present: Mapping[str, Sequence[str]], language: str, rewordings: Sequence[Rewording]) -> list[str]:
    """Raises UnfitText, ChangedMeanwhile."""
    texts = list(present.get(language, ()))
    for rewording in rewordings:
        if rewording.place >= len(texts):
            raise ChangedMeanwhile
        require_seen(rewording.seen, texts[rewording.place])
        texts[rewording.place] = fit_text(rewording.text)
    return texts


def _history(
    summary: Summary, present: Mapping[str, Sequence[str]], changed: Mapping[str, Sequence[str]], editor_id: int | None
) -> list[Correction]:
    return [
        Correction(
            summary=summary, language=language, item=place or None, editor_id=editor_id, before=before, after=after
        )
        for language, texts in changed.items()
        for place, (before, after) in enumerate(zip(present[language], texts, strict=True))
        if before != after
    ]


def _write(summary: Summary, present: Mapping[str, list[str]], changed: Mapping[str, list[str]]) -> None:
    """Apply the changes to the instance, without saving it."""
    written = changed.get(AS_WRITTEN, present[AS_WRITTEN])
    kept = changed if AS_WRITTEN in changed else {**present, **changed}
    left = [place for place, text in enumerate(written) if text or place == 0]
    fixed = {*changed, *corrected_languages(summary)}
    summary.translations = {
        language: {"text": texts[0], "items": [texts[place] for place in left[1:]]}
        | ({"is_fixed": True} if language in fixed else {})
        for language, texts in kept.items()
        if language != AS_WRITTEN and all(texts[place] or not written[place] for place in left)
    }
    summary.text = written[0]
    summary.items = [{**summary.items[place - 1], "text": written[place]} for place in left[1:]]
