"""Reprocessing on request of an operator, also after the end of a meeting: a summary, new translations."""

from __future__ import annotations

from meetings.broker.client import connect_sync
from meetings.models import Meeting, State, Summary, Translation
from meetings.store import summaries, summary_attempts
from meetings.store.requeue import languages_of, rouse
from meetings.store.transcript import changing


def summarise_now(meeting: Meeting) -> bool:
    """Ask for a summary; False: nothing was said since the last one. Raises the errors of an unreachable broker."""
    if not summary_attempts.ask(meeting.pk):
        return False
    if meeting.state == State.ENDED:
        rouse(meeting)
    return True


def translate_again(meeting: Meeting) -> bool:
    """Translate everything again; False: there is no language to translate into.

    Corrected translations are kept (`corrected_translations`); screens show the old texts until the new ones arrive.
    Raises the errors of an unreachable broker before anything is deleted.
    """
    languages = {*languages_of(meeting), *meeting.languages}
    if not languages:
        return False
    connect_sync().ping()
    with changing(meeting.pk):
        Translation.objects.filter(caption__meeting=meeting, is_text_fixed=False).delete()
        for summary in Summary.objects.filter(meeting=meeting):
            summary.translations = {code: summary.translations[code] for code in _corrected_languages(summary)}
            summary.save(update_fields=("translations",))
    rouse(meeting, languages)
    return True


def corrected_translations(meeting: Meeting) -> int:
    """Return the number of lines and summaries with a corrected translation."""
    lines = Translation.objects.filter(caption__meeting=meeting, is_text_fixed=True).count()
    return lines + sum(len(_corrected_languages(summary)) for summary in Summary.objects.filter(meeting=meeting))


def _corrected_languages(summary: Summary) -> list[str]:
    return [code for code in summary.translations if summaries.is_corrected(summary, code)]
