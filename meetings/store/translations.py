"""Translations of captions. What is untranslated is derived from the rows, so a crash loses none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from inference.translation.translator import Translation as Translated
from meetings.models import Caption, Translation
from meetings.store.transcript import Lease, bump_seq, changing


@dataclass(frozen=True, slots=True)
class Untranslated:
    """A caption that is wanted in another language."""

    caption_id: int
    text: str
    source: str
    target: str


def untranslated(meeting_id: str, target: str, *, sources: Collection[str], limit: int) -> list[Untranslated]:
    """Return the newest captions in one of the languages `sources` without a whole translation into `target`."""
    done = Translation.objects.filter(caption=OuterRef("pk"), language=target, is_behind=False)
    rows = Caption.objects.filter(~Exists(done), meeting_id=meeting_id, language__in=sources)
    missing = rows.exclude(language=target).exclude(text="").order_by("-start")[:limit]
    return [Untranslated(caption.pk, caption.text, caption.language, target) for caption in missing]


def store_translations(lease: Lease, done: Sequence[tuple[Untranslated, Translated]]) -> int:
    """Store translations, all of one caption as one revision; return the meeting's newest `seq`.

    Skipped: translations of a text that has changed since, which will be translated again, and languages with a
    corrected translation.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        captions = Caption.objects.filter(meeting=meeting).in_bulk([wanted.caption_id for wanted, _ in done])
        corrected = _corrected(captions)
        changed: set[int] = set()
        for wanted, translated in done:
            caption = captions.get(wanted.caption_id)
            if caption is None or caption.text != wanted.text or (caption.pk, wanted.target) in corrected:
                continue
            Translation.objects.update_or_create(
                caption=caption,
                language=wanted.target,
                defaults={"text": translated.text, "is_translated": translated.translated, "is_behind": False},
            )
            changed.add(caption.pk)
        for pk in sorted(changed, key=lambda pk: captions[pk].seq):
            bump_seq(meeting, captions[pk])
    return meeting.last_seq


def _corrected(captions: Collection[int]) -> set[tuple[int, str]]:
    """Return the (caption key, language) pairs of corrected translations."""
    rows = Translation.objects.filter(caption__in=captions, is_text_fixed=True)
    return set(rows.values_list("caption", "language"))
