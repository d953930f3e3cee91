"""Captions in other languages, as the rows hold them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference.translation.translator import Translation as Translated
from inference.types import FinalCaption, Word
from meetings.export.cues import meeting_cues
from meetings.models import Caption, Meeting, Translation
from meetings.store import serializers
from meetings.store.corrections import ChangedMeanwhile, correct_translation
from meetings.store.transcript import Lease, LeaseLost, changes_after, commit, take_lease
from meetings.store.translations import Untranslated, store_translations, untranslated

pytestmark = pytest.mark.django_db


@pytest.fixture
def lease() -> Lease:
    meeting = Meeting.objects.create(title="Budget")
    return Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)


def say(lease: Lease, start: float, text: str, language: str = "en") -> None:
    word = Word(start, start + 1, text, 0.9)
    commit(lease, [FinalCaption(f"{start:03.0f}", start, start + 1, text, language, (word,))], None)


def missing(lease: Lease, target: str, *sources: str, limit: int = 9) -> list[Untranslated]:
    return untranslated(lease.meeting_id, target, sources=sources, limit=limit)


def translate(lease: Lease, wanted: list[Untranslated]) -> int:
    return store_translations(lease, [(item, Translated(f"{item.target}: {item.text}", True)) for item in wanted])


def test_the_newest_captions_come_first_and_each_once(lease: Lease) -> None:
    for start, text in enumerate(("one", "two", "three")):
        say(lease, start, text)
    assert [item.text for item in missing(lease, "pt", "en", limit=2)] == ["three", "two"]
    translate(lease, missing(lease, "pt", "en", limit=2))
    assert [item.text for item in missing(lease, "pt", "en")] == ["one"]


def test_what_cannot_or_need_not_be_translated_is_left_out(lease: Lease) -> None:
    say(lease, 0, "one")
    say(lease, 1, "dois", "pt")
    say(lease, 2, "drei", "de")
    assert [item.text for item in missing(lease, "pt", "en", "pt")] == ["one"]
    assert [item.text for item in missing(lease, "en", "pt")] == ["dois"]
    assert missing(lease, "es") == []


def test_all_languages_of_a_batch_are_one_revision(lease: Lease) -> None:
    say(lease, 0, "one")
    seq = translate(lease, [*missing(lease, "pt", "en"), *missing(lease, "es", "en")])
    caption = Caption.objects.get()
    assert (caption.seq, caption.revision, seq) == (2, 1, 2)
    [row] = changes_after(lease.meeting_id, 1, limit=9)
    assert [serializers.change(row, language).get("translation") for language in ("", "en", "pt", "es", "fr")] == [
        None,
        None,
        {"language": "pt", "text": "pt: one"},
        {"language": "es", "text": "es: one"},
        None,
    ]


def test_a_translation_of_a_text_that_has_changed_is_left_out(lease: Lease) -> None:
    say(lease, 0, "one")
    wanted = missing(lease, "pt", "en")
    say(lease, 0, "won")
    assert translate(lease, wanted) == 2, "as before: nothing was stored"
    assert [item.text for item in missing(lease, "pt", "en")] == ["won"]


def test_a_caption_that_is_said_otherwise_loses_its_translation(lease: Lease) -> None:
    say(lease, 0, "one")
    translate(lease, missing(lease, "pt", "en"))
    say(lease, 0, "won")
    assert Translation.objects.count() == 0


def test_a_worker_that_lost_the_meeting_stores_nothing(lease: Lease) -> None:
    say(lease, 0, "one")
    wanted = missing(lease, "pt", "en")
    take_lease(lease.meeting_id)
    with pytest.raises(LeaseLost):
        translate(lease, wanted)
    assert Translation.objects.count() == 0


def test_what_was_not_understood_stands_as_it_was_said(lease: Lease) -> None:
    say(lease, 0, "one")
    [wanted] = missing(lease, "pt", "en")
    store_translations(lease, [(wanted, Translated("one", False))])
    assert missing(lease, "pt", "en") == [], "and is not asked for again"
    assert Translation.objects.get().is_translated is False
    caption = wanted_caption(lease)
    assert serializers.caption(caption, "pt")["translation"] is None
    assert meeting_cues(caption.meeting)[0].in_language("pt").language == "en"
    with pytest.raises(ChangedMeanwhile):
        correct_translation(lease.meeting_id, caption.segment, "pt", "um", editor_id=None, seen="won")
    correct_translation(lease.meeting_id, caption.segment, "pt", "um", editor_id=None, seen="")
    assert serializers.caption(wanted_caption(lease), "pt")["translation"] == {"language": "pt", "text": "um"}


def wanted_caption(lease: Lease) -> Caption:
    return Caption.objects.prefetch_related("translations").get(meeting=lease.meeting_id)


def test_the_translation_of_an_open_caption_stays_until_it_is_made_again(lease: Lease) -> None:
    words = (Word(0, 1, "Good morning.", 0.9), Word(1, 2, "All", 0.9), Word(2, 3, "of", 0.9))
    begun = FinalCaption("000", 0, 2, "Good morning. All", "en", words[:2], is_open=True)
    commit(lease, [begun], None)
    translate(lease, missing(lease, "pt", "en"))
    commit(lease, [replace(begun, end=3, text="Good morning. All of", words=words)], None)
    assert serializers.caption(Caption.objects.get(), "pt")["translation"] == {
        "language": "pt",
        "text": "pt: Good morning. All",
        "settled": len("pt: Good morning. "),
    }
    assert [item.text for item in missing(lease, "pt", "en")] == ["Good morning. All of"]
    translate(lease, missing(lease, "pt", "en"))
    assert missing(lease, "pt", "en") == []
    commit(lease, [replace(begun, text="Good evening. All of", words=words, is_open=False)], None)
    closed = serializers.caption(Caption.objects.get(), "pt")
    assert (closed["translation"], "open" in closed) == (None, False)
