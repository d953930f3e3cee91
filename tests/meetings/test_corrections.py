"""What people write instead of what a model heard: kept, told, translated again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import redis.asyncio
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from meetings.admin import captions
from meetings.audiolog import AudioLog
from meetings.corrections import MAX_TEXT, ChangedMeanwhile, UnfitText, correct_text
from meetings.models import Caption, CaptionEdit, Meeting, State, Translation
from meetings.speakers import NoSuchCaption, label_captions
from meetings.transcript import Lease, NoSuchMeeting, changes_after, take_lease
from meetings.waking import wake
from tests.live import load_pcm
from tests.meetings.test_admin import NO_INLINES, lines_of
from tests.meetings.test_speakers import LINE, final, lines, say, turns
from tests.meetings.test_worker import speak, state_of, until, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget")


@pytest.fixture
def lease(meeting: Meeting) -> Lease:
    return Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)


def edits(meeting: Meeting) -> list[tuple[str | None, str, str]]:
    rows = CaptionEdit.objects.filter(caption__meeting=meeting).order_by("pk")
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


async def test_a_correction_is_translated_again_while_the_meeting_runs_and_afterwards(
    broker: redis.asyncio.Redis, meeting: Meeting
) -> None:
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt"])
    await speak(broker, meeting, load_pcm(Path(__file__).parent.parent / "speech" / "lobster_24s.flac"))
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
    wake(meeting.pk, correct_text(meeting.pk, first(meeting).segment, text, editor_id=None))


def translation(meeting: Meeting) -> str | None:
    return first(meeting).translations.values_list("text", flat=True).first()


@pytest.mark.parametrize("url", ["/admin/meetings/caption/{}/change/", "/admin/meetings/caption/"])
def test_screens_and_workers_are_told_when_it_can_be_read(
    admin_client: Client, meeting: Meeting, lease: Lease, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    told: list[tuple[str, int, bool]] = []
    monkeypatch.setattr(captions, "wake", lambda key, seq: told.append((key, seq, connection.in_atomic_block)))
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
    monkeypatch.setattr("meetings.broker.broker_url", lambda: "unix:///nowhere/valkey.sock")
    say(lease, final("000", 0))
    correct(meeting, "Good evening.")
    assert first(meeting).text == "Good evening."
