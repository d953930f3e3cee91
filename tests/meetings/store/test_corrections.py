"""What people write instead of what a model heard: kept, told, translated again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from inference.translation.translator import Translation as Translated
from meetings.admin import correcting
from meetings.broker.audio_log import AudioLog
from meetings.export.cues import meeting_cues
from meetings.models import Caption, Correction, Meeting, State, Translation
from meetings.search.finding import find
from meetings.search.index import TextKind
from meetings.store import serializers
from meetings.store.corrections import (
    MAX_TEXT,
    ChangedMeanwhile,
    StillOpen,
    UnfitText,
    correct_text,
    correct_translation,
    corrected_languages,
)
from meetings.store.requeue import requeue
from meetings.store.speakers import NoSuchCaption, label_captions
from meetings.store.transcript import Lease, NoSuchMeeting, changes_after, take_lease
from meetings.store.translations import Untranslated, store_translations, untranslated
from tests.live import load_pcm
from tests.meetings.admin.test_admin import NO_INLINES, lines_of
from tests.meetings.store.test_speakers import LINE, final, lines, say, turns
from tests.meetings.worker.test_worker import speak, state_of, until, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


@pytest.fixture
def lease(meeting: Meeting) -> Lease:
    return Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)


def edits(meeting: Meeting) -> list[tuple[str | None, str, str]]:
    rows = Correction.objects.filter(caption__meeting=meeting).order_by("pk")
    return [(row.editor.get_username() if row.editor else None, row.before, row.after) for row in rows]


def test_a_correction_is_a_revision_and_the_first_text_is_kept(meeting: Meeting, lease: Lease) -> None:
    ana = User.objects.create_user("ana")
    say(lease, final("000", 0))
    Translation.objects.create(caption=Caption.objects.get(), language="pt", text="Bom dia.")
    assert correct_text(meeting.pk, "000", " Good\nevening, \u202eall. ", editor_id=ana.pk, seen=LINE) == 2
    assert correct_text(meeting.pk, "000", "Good night, all.", editor_id=None) == 3
    assert edits(meeting) == [("ana", LINE, "Good evening, all."), (None, "Good evening, all.", "Good night, all.")]
    [caption] = changes_after(meeting.pk, 0, limit=9)
    assert isinstance(caption, Caption)
    assert (caption.text, caption.seq, caption.revision, caption.is_text_fixed) == ("Good night, all.", 3, 2, True)
    assert not Translation.objects.exists()


def test_the_same_text_is_no_correction(meeting: Meeting, lease: Lease) -> None:
    say(lease, final("000", 0))
    assert correct_text(meeting.pk, "000", LINE, editor_id=None) == 1
    assert edits(meeting) == []


def test_what_does_not_fit_changes_nothing(meeting: Meeting, lease: Lease) -> None:
    say(lease, final("000", 0))
    with pytest.raises(ChangedMeanwhile):
        correct_text(meeting.pk, "000", "Good evening.", editor_id=None, seen="Good night.")
    with pytest.raises(UnfitText):
        correct_text(meeting.pk, "000", "a" * (MAX_TEXT + 1), editor_id=None)
    with pytest.raises(NoSuchCaption):
        correct_text(meeting.pk, "999", "Good evening.", editor_id=None)
    with pytest.raises(NoSuchMeeting):
        correct_text("gone", "000", "Good evening.", editor_id=None)
    assert lines(lease) == [("000", "", LINE)]


def test_no_model_takes_a_correction_back(meeting: Meeting, lease: Lease) -> None:
    say(lease, final("000", 0))
    correct_text(meeting.pk, "000", "Good evening.", editor_id=None)
    say(lease, final("000", 0, "Something else that another model hears."))
    label_captions(lease, turns((0, 2, "S1"), (2, 6, "S2")))
    assert lines(lease) == [("000", "S2", "Good evening.")], "who spoke is still told, by the words that were heard"


def test_a_line_can_be_taken_away_and_brought_back(meeting: Meeting, lease: Lease) -> None:
    say(lease, final("000", 0))
    correct_text(meeting.pk, "000", "", editor_id=None)
    assert lines(lease) == [("000", "", "")]
    correct_text(meeting.pk, "000", LINE, editor_id=None, seen="")
    assert lines(lease) == [("000", "", LINE)]


@pytest.fixture
def translated(meeting: Meeting, lease: Lease) -> Caption:
    """In Portuguese by a model."""
    say(lease, final("000", 0))
    translate(lease)
    return first(meeting)


def translate(lease: Lease) -> None:
    wanted = untranslated(lease.meeting_id, "pt", sources=["en"], limit=9)
    store_translations(lease, [(item, Translated(f"pt: {item.text}", True)) for item in wanted])


def test_a_corrected_translation_is_a_revision_and_the_models_is_kept(meeting: Meeting, translated: Caption) -> None:
    ana = User.objects.create_user("ana")
    told = {"editor_id": ana.pk, "seen": f"pt: {LINE}"}
    assert correct_translation(meeting.pk, "000", "pt", " Bom\ndia. ", **told) == 3
    [edit] = translated.corrections.all()
    assert (edit.language, edit.before, edit.after, edit.editor) == ("pt", f"pt: {LINE}", "Bom dia.", ana)
    [caption] = changes_after(meeting.pk, 2, limit=9)
    assert serializers.change(caption, "pt").get("translation") == {"language": "pt", "text": "Bom dia."}
    assert [cue.in_language("pt").text for cue in meeting_cues(meeting)] == ["Bom dia."], "in files"
    assert [hit.kind for hit in find("bom", limit=9)] == [TextKind.TRANSLATION]
    assert find("pt", limit=9) == []
    with pytest.raises(ChangedMeanwhile):
        correct_translation(meeting.pk, "000", "pt", "Boa tarde.", **told)


def test_no_model_takes_a_corrected_translation_back(meeting: Meeting, lease: Lease, translated: Caption) -> None:
    wanted = [Untranslated(translated.pk, LINE, "en", "pt")]
    correct_translation(meeting.pk, "000", "pt", "Bom dia.", editor_id=None)
    store_translations(lease, [(item, Translated("Too late.", True)) for item in wanted])
    say(lease, final("000", 0, "Something else that another model hears."))
    label_captions(lease, turns((0, 2, "S1"), (2, 6, "S2")))
    assert lines(lease) == [("000", "S2", LINE)], "nor is it divided under its translation"
    assert translation(meeting) == "Bom dia."


def test_a_corrected_line_is_translated_anew_and_the_old_wording_is_kept(
    meeting: Meeting, lease: Lease, translated: Caption
) -> None:
    correct_translation(meeting.pk, "000", "pt", "Bom dia.", editor_id=None)
    assert corrected_languages(translated) == ["pt"]
    correct_text(meeting.pk, "000", "Good evening.", editor_id=None)
    assert corrected_languages(translated) == []
    translate(lease)
    assert translation(meeting) == "pt: Good evening."
    assert translated.corrections.get(language="pt").after == "Bom dia."


def test_an_emptied_translation_is_made_again(meeting: Meeting, lease: Lease, translated: Caption) -> None:
    correct_translation(meeting.pk, "000", "pt", "Bom dia.", editor_id=None)
    correct_translation(meeting.pk, "000", "pt", "", editor_id=None, seen="Bom dia.")
    assert translation(meeting) is None
    translate(lease)
    assert translation(meeting) == f"pt: {LINE}"


async def test_a_correction_is_translated_again_while_the_meeting_runs_and_afterwards(
    broker: redis.asyncio.Redis, meeting: Meeting
) -> None:
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt"])
    await speak(broker, meeting, load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac"))
    async with working(broker):
        await until(lambda: Translation.objects.count() >= 2)
        await asyncio.to_thread(correct, meeting, "Good evening.")
        await until(lambda: translation(meeting) == "pt: Good evening.")
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
        # Nobody offers Portuguese any longer; what is there in it is kept right all the same.
        await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=[])
        await asyncio.to_thread(correct, meeting, "Good night.")
        await until(lambda: translation(meeting) == "pt: Good night.")


def first(meeting: Meeting) -> Caption:
    return Caption.objects.filter(meeting=meeting).earliest("start")


def correct(meeting: Meeting, text: str) -> None:
    requeue(meeting.pk, correct_text(meeting.pk, first(meeting).segment, text, editor_id=None))


def translation(meeting: Meeting) -> str | None:
    return first(meeting).translations.values_list("text", flat=True).first()


@pytest.mark.parametrize("url", ["/admin/meetings/caption/{}/change/", "/admin/meetings/caption/"])
def test_screens_and_workers_are_told_when_it_can_be_read(
    admin_client: Client, meeting: Meeting, lease: Lease, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    told: list[tuple[str, int, bool]] = []
    monkeypatch.setattr(correcting, "requeue", lambda key, seq: told.append((key, seq, connection.in_atomic_block)))
    say(lease, final("000", 0))
    caption = first(meeting)
    form = {
        **NO_INLINES,
        "initial-text": LINE,
        "text": "Good.",
        **lines_of("form", caption, text0="Good."),
        "_save": "1",
    }
    assert admin_client.post(url.format(caption.pk), form).status_code == 302
    assert told == [(meeting.pk, 2, False)], "outside the transaction of the admin"


def test_a_broker_that_is_away_stops_no_correction(
    meeting: Meeting, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    say(lease, final("000", 0))
    correct(meeting, "Good evening.")
    assert first(meeting).text == "Good evening."


def test_a_line_is_corrected_once_it_is_complete(meeting: Meeting, lease: Lease) -> None:
    say(lease, replace(final("000", 0), is_open=True))
    with pytest.raises(StillOpen):
        correct_text(meeting.pk, "000", "Bye.", editor_id=None)
    say(lease, final("000", 0))
    correct_text(meeting.pk, "000", "Bye.", editor_id=None)
    assert Caption.objects.get().text == "Bye."
