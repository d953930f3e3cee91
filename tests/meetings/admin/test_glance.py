"""The list of meetings in the admin: what it shows of each, found how, in how many queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import redis
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import state_key
from meetings.models import Meeting, Speaker, State, Summary, Translation, Upload
from tests.meetings.admin.test_admin import make_meeting

pytestmark = pytest.mark.django_db

LIST = "/admin/meetings/meeting/"
COLUMNS = ("length", "speakers_", "languages_", "captions_", "lag", "lost")


def shown(client: Client, **query: str) -> dict[str, tuple[str, ...]]:
    """The columns by the meeting's title."""
    response = client.get(LIST, query)
    admin, rows = response.context["cl"].model_admin, response.context["cl"].result_list
    return {row.title: tuple(str(getattr(admin, column)(row)) for column in COLUMNS) for row in rows}


def test_a_meeting_at_a_glance(admin_client: Client, broker_sync: redis.Redis) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "", "nothing of that")
    Meeting.objects.filter(pk=meeting.pk).update(
        state=State.LIVE, cursor=3_725 * SAMPLE_RATE, languages=["pt", "en"], missing_s=2.25
    )
    for label, into in (("S1", ""), ("S2", ""), ("S3", "S1")):
        Speaker.objects.create(meeting=meeting, label=label, merged_into=into, seq=0)
    broker_sync.hset(state_key(meeting.pk), "next_sample", 3_730 * SAMPLE_RATE)
    Meeting.objects.create(title="Over", state=State.ENDED, language="pt")
    assert shown(admin_client) == {
        "Planning": ("1:02:05", "2", "en, pt", "2", "5.0 s", "2.2 s"),
        "Over": ("0:00", "0", "pt", "0", "–", "–"),
    }


def test_without_a_broker_nobody_knows_the_lag(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.client.broker_url", lambda: "unix:///nowhere/valkey.sock")
    make_meeting("Planning", "the budget is fixed")
    assert shown(admin_client)["Planning"][4] == "–"


def test_meetings_are_filtered(admin_client: Client) -> None:
    lossy = Meeting.objects.create(title="Lossy", missing_s=1.5)
    Upload.objects.create(meeting=Meeting.objects.create(title="Sent"), name="a.wav", size=1)
    assert set(shown(admin_client, lost="yes")) == {lossy.title}
    assert set(shown(admin_client, lost="no")) == {"Sent"}
    assert set(shown(admin_client, origin="upload")) == {"Sent"}
    assert set(shown(admin_client, origin="microphone")) == {"Lossy"}


def test_what_was_said_finds_its_meeting(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    Translation.objects.create(caption=meeting.captions.get(), language="pt", text="o orçamento está fechado")
    Summary.objects.create(meeting=make_meeting("Retro"), seq=1, from_s=0, to_s=1, language="en", text="We like cake.")
    for query, titles in {
        "budg": {"Planning"},
        "orcamento": {"Planning"},
        "cake": {"Retro"},
        "etr": {"Retro"},
        "of <": set(),
    }.items():
        assert set(shown(admin_client, q=query)) == titles


def queries(work: Callable[[], object]) -> Sequence[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured]


def test_a_longer_list_takes_no_more_queries(admin_client: Client) -> None:
    make_meeting("First", "the budget is fixed")
    admin_client.get(LIST)
    few = queries(lambda: admin_client.get(LIST))
    for number in range(20):
        meeting = make_meeting(f"Meeting {number}", "one", "two")
        Speaker.objects.create(meeting=meeting, label="S1", seq=0)
    many = queries(lambda: admin_client.get(LIST))
    assert len(many) == len(few)


def test_the_search_page_leads_to_the_line_and_says_what_was_said_as_text(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the <b>budget</b> is fixed")
    page = admin_client.get("/admin/search/", {"q": "budg"}).content.decode()
    assert f'href="/admin/meetings/caption/{meeting.captions.get().pk}/change/">Planning, 0:00</a>' in page
    assert "the &lt;b&gt;<mark>budget</mark>&lt;/b&gt; is fixed" in page
    assert "Places found: 0." in admin_client.get("/admin/search/", {"q": "nowhere"}).content.decode()


def test_the_search_page_is_for_those_who_may_read(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get("/admin/search/", {"q": "budget"}).status_code == 403
