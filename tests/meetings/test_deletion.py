from __future__ import annotations

import pytest
import redis

from meetings import recordings
from meetings.audiolog import ACTIVE, Entry, audio_key, host_key, state_key
from meetings.models import Caption, Meeting
from meetings.readership import languages_key

pytestmark = pytest.mark.django_db


def test_deleting_a_meeting_leaves_nothing(broker_sync: redis.Redis) -> None:
    meeting = Meeting.objects.create(title="Budget")
    meeting.captions.create(segment="1", seq=1, start=0, end=1, language="en", text="secret")
    recordings.write(meeting.pk, [Entry(b"1-0", 0, b"\1\0" * 1600)])
    keys = (audio_key(meeting.pk), state_key(meeting.pk), host_key(meeting.pk), languages_key(meeting.pk))
    for key in keys:
        broker_sync.set(key, "secret")
    raw, meeting_id = recordings.raw_path(meeting.pk), meeting.pk
    assert raw.exists()
    Meeting.objects.all().delete()
    assert not raw.exists()
    assert broker_sync.exists(*keys) == 0
    assert Caption.objects.count() == 0
    assert broker_sync.smembers(ACTIVE) == {meeting_id.encode()}, "the next worker to look forgets the rest"


def test_a_broker_that_is_away_does_not_stop_a_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meetings.broker.broker_url", lambda: "unix:///nowhere/valkey.sock")
    Meeting.objects.create(title="Budget").delete()
    assert Meeting.objects.count() == 0
