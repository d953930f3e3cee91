"""What an operator wants after all, of a meeting that is over too: a summary, translations made anew."""

from __future__ import annotations

from meetings.broker.client import connect_sync
from meetings.models import Meeting, State, Summary, Translation
from meetings.store import summaries
from meetings.store.requeue import languages_of, rouse
from meetings.store.transcript import changing


def summarise_now(meeting: Meeting) -> bool:
    """Asks for a summary; False when nothing was said since the last one. Raises what an unreachable broker raises."""
    if not summaries.ask(meeting.pk):
        return False
    if meeting.state == State.ENDED:
        rouse(meeting)
    return True


def translate_again(meeting: Meeting) -> bool:
    """Has everything translated anew; False when there is no language to translate into.

    What somebody worded themselves stays (`corrected_translations`); screens show what they have until the new texts
    come. Raises what an unreachable broker raises, before anything is forgotten.
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
    """How many of its lines and summaries stand in another language as somebody worded them."""
    lines = Translation.objects.filter(caption__meeting=meeting, is_text_fixed=True).count()
    return lines + sum(len(_corrected_languages(summary)) for summary in Summary.objects.filter(meeting=meeting))


def _corrected_languages(summary: Summary) -> list[str]:
    return [code for code in summary.translations if summaries.is_corrected(summary, code)]
