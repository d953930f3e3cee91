"""The sample recording: one at a time, into the log as a host's browser would put it."""

from __future__ import annotations

import hashlib
import re

import pytest
import redis
import redis.asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import SAMPLE_BYTES, AudioLog, audio_key
from meetings.models import Meeting
from meetings.web import sample, sample_views
from meetings.web.sample import MOST_AN_HOUR, PLAYING, SamplePlaying, TooManySamples, begin, sample_frames, speak

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ana")


def test_the_clip_is_half_a_minute_whose_source_is_named() -> None:
    frames = sample_frames()
    assert sum(len(frame.pcm) for frame in frames) == (30 * SAMPLE_RATE + 1) * SAMPLE_BYTES
    assert "CC BY 4.0" in sample.CLIP.with_name("SAMPLE.md").read_text()


def test_a_meeting_that_shows_everything(owner: User, broker_sync: redis.Redis) -> None:
    meeting = begin(owner.pk, broker_sync)
    assert Meeting.objects.get() == meeting
    assert (meeting.owner, meeting.language, meeting.languages) == (owner, "en", ["pt"])
    assert meeting.keep_recording
    assert meeting.summary_every_s


def test_one_at_a_time(owner: User, broker_sync: redis.Redis) -> None:
    meeting = begin(owner.pk, broker_sync)
    with pytest.raises(SamplePlaying) as playing:
        begin(owner.pk, broker_sync)
    assert playing.value.meeting_id == meeting.pk
    assert Meeting.objects.count() == 1
    assert 0 < broker_sync.pttl(PLAYING) <= sample.LONGEST_MS


def test_not_too_often(owner: User, broker_sync: redis.Redis) -> None:
    for _ in range(MOST_AN_HOUR):
        begin(owner.pk, broker_sync)
        broker_sync.delete(PLAYING)
    with pytest.raises(TooManySamples):
        begin(owner.pk, broker_sync)
    assert broker_sync.get(PLAYING) is None
    assert Meeting.objects.count() == MOST_AN_HOUR
    assert begin(User.objects.create_user("ben").pk, broker_sync)


async def test_it_is_in_the_log_as_a_browser_would_have_sent_it(owner: User, broker: redis.asyncio.Redis) -> None:
    meeting = await sync_to_async(begin)(owner.pk, sample_views.connect_sync())
    await speak(meeting.pk, broker, pace=1000)
    entries = (await AudioLog(broker).read({meeting.pk: b"0-0"}, block_ms=1, count=1000))[meeting.pk]
    frames, marks = [entry for entry in entries if not entry.mark], [entry.mark for entry in entries if entry.mark]
    spoken = hashlib.sha256(b"".join(frame.pcm for frame in sample_frames())).digest()
    assert hashlib.sha256(b"".join(entry.pcm for entry in frames)).digest() == spoken
    assert marks == ["end"]
    assert entries[-1].mark == "end"
    assert await broker.get(PLAYING) is None


async def test_a_host_who_takes_over_is_not_spoken_into(owner: User, broker: redis.asyncio.Redis) -> None:
    meeting = await sync_to_async(begin)(owner.pk, sample_views.connect_sync())
    await AudioLog(broker).claim(meeting.pk, "browser", takeover=False, cursor=0)
    await speak(meeting.pk, broker, pace=1000)
    assert await broker.exists(audio_key(meeting.pk)) == 0


class TestButton:
    @pytest.fixture(autouse=True)
    def silent(self, monkeypatch: pytest.MonkeyPatch, broker_sync: redis.Redis) -> list[str]:
        """Names of the meetings that would be spoken into."""
        spoken: list[str] = []

        async def remember(meeting_id: str) -> None:
            spoken.append(meeting_id)

        monkeypatch.setattr(sample_views, "_speak", remember)
        return spoken

    async def test_opens_the_viewers_page(self, owner: User, silent: list[str]) -> None:
        client = AsyncClient()
        await client.aforce_login(owner)
        answer = await client.post("/sample/")
        assert answer.status_code == 302
        assert re.fullmatch(r"/m/(\w+)/\?token=[\w-]+&lang=pt&original=1", answer["Location"])
        again = await client.post("/sample/")
        assert (again.status_code, again["Location"]) == (302, answer["Location"])
        assert silent == [meeting.pk async for meeting in Meeting.objects.all()]

    async def test_others_wait(self, owner: User, broker_sync: redis.Redis) -> None:
        await sync_to_async(begin)(owner.pk, broker_sync)
        client = AsyncClient()
        await client.aforce_login(await sync_to_async(User.objects.create_user)("ben"))
        answer = await client.post("/sample/")
        assert answer.status_code == 429
        assert "try again in a minute" in answer.content.decode()

    def test_is_with_the_first_steps_and_after_them_below_the_list(self, owner: User) -> None:
        client = Client()
        assert client.post("/sample/")["Location"] == "/login/?next=/"
        client.force_login(owner)
        Meeting.objects.create(title="Planning", owner=owner)
        assert "Try it with a sample recording" in client.get("/").content.decode()
        client.post("/first-steps/hide")
        page = client.get("/").content.decode()
        assert ("Try it with a sample recording" in page, "Play the sample meeting" in page) == (False, True)
