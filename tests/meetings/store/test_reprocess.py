"""A summary that an operator wants, of a meeting that is live or over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import redis.asyncio
from django.test import Client

from meetings.broker.audio_log import ACTIVE, AudioLog, audio_key, state_key
from meetings.models import Caption, Meeting, State, Summary, Translation
from tests.live import load_pcm
from tests.meetings.admin.test_admin import make_meeting
from tests.meetings.doubles import ScriptedSummarizer
from tests.meetings.worker.test_summarize import working
from tests.meetings.worker.test_worker import speak, state_of, texts, until, until_async

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/meetings/meeting/"


def press(client: Client, page: str, *rows: object) -> str:
    """The admin's action on `rows`; what the next page says."""
    form = {"action": "summarise", "_selected_action": [str(row) for row in rows]}
    return client.post(page, form, follow=True).content.decode()


def test_a_meeting_with_something_new_is_asked_for(admin_client: Client) -> None:
    meeting, empty = make_meeting("Planning", "the budget is fixed"), make_meeting("Empty")
    page = press(admin_client, LIST, meeting.pk, empty.pk)
    assert "Summaries asked for: 1." in page
    assert "There is nothing new to summarise: 1 of the meetings." in page
    asked = Meeting.objects.exclude(summary_asked_at=None)
    assert [row.pk for row in asked] == [meeting.pk]


def test_a_summary_leads_to_its_meeting(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "and signed")
    rows = [
        Summary.objects.create(meeting=meeting, seq=3 + number, from_s=0.0, to_s=0.5, language="en")
        for number in range(2)
    ]
    page = press(admin_client, "/admin/meetings/summary/", *(row.pk for row in rows))
    assert "Summaries asked for: 1." in page


async def test_a_meeting_that_is_over_gets_one_and_leaves_nothing_behind(
    broker: redis.asyncio.Redis, admin_client: Client
) -> None:
    pcm = load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")
    meeting = await Meeting.objects.acreate(title="Over")
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, ScriptedSummarizer):
        await until(lambda: state_of(meeting) == State.ENDED)
        await until_async(lambda: is_forgotten(broker, meeting), True)
        before = await asyncio.to_thread(texts, meeting)
        assert not await Summary.objects.aexists()
        await asyncio.to_thread(press, admin_client, LIST, meeting.pk)
        await until(lambda: Summary.objects.filter(meeting=meeting).count() == 1)
        await until_async(lambda: is_forgotten(broker, meeting), True)
    assert await asyncio.to_thread(texts, meeting) == before
    last = await Caption.objects.filter(meeting=meeting).order_by("-end").afirst()
    summary = await Summary.objects.aget()
    assert last is not None
    assert summary.to_s == last.end


async def test_everything_is_translated_anew(broker: redis.asyncio.Redis, admin_client: Client) -> None:
    meeting = await Meeting.objects.acreate(title="Over", languages=["pt"])
    await speak(broker, meeting, load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac"))
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, ScriptedSummarizer):
        await until(lambda: state_of(meeting) == State.ENDED)
        await until_async(lambda: is_forgotten(broker, meeting), True)
        before = await asyncio.to_thread(translations, meeting)
        assert before
        await Translation.objects.aupdate(text="not what was said")
        form = {"action": "translate_again", "_selected_action": [meeting.pk]}
        page = await asyncio.to_thread(lambda: admin_client.post(LIST, form, follow=True).content.decode())
        assert "Translations asked for: 1." in page
        await until(lambda: translations(meeting) == before)


def test_without_a_language_there_is_nothing_to_translate_into(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    form = {"action": "translate_again", "_selected_action": [meeting.pk]}
    page = admin_client.post(LIST, form, follow=True).content.decode()
    assert "Nothing to translate into: 1 of the meetings." in page


def translations(meeting: Meeting) -> list[tuple[str, str]]:
    rows = Translation.objects.filter(caption__meeting=meeting).order_by("caption__start")
    return list(rows.values_list("language", "text"))


async def is_forgotten(broker: redis.asyncio.Redis, meeting: Meeting) -> bool:
    keys = await broker.exists(audio_key(meeting.pk), state_key(meeting.pk))
    return keys == 0 and not await broker.sismember(ACTIVE, meeting.pk)  # type: ignore[misc]
