"""Second passes in a worker, with scripted models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis.asyncio
from django.utils import timezone

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest, Hypothesis
from meetings.broker.audio_log import AudioLog
from meetings.models import Caption, Meeting, SecondPass, SecondPassState, State
from meetings.store import recordings, upload_files
from meetings.worker import second_pass
from meetings.worker.second_pass import SecondPassStep
from tests.inference.doubles import ScriptedTranscriber
from tests.live import load_pcm
from tests.meetings.store.test_uploads import CLIP, said, uploaded
from tests.meetings.worker.test_worker import speak, until, working

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def second_passes_on(settings: Any) -> Iterator[None]:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=True)
    yield
    for file in upload_files.folder().glob("*"):
        file.unlink()


def is_over(meeting: Meeting) -> bool:
    return SecondPass.objects.filter(pk=meeting.pk, state=SecondPassState.DONE, is_sound_held=False).exists()


async def test_an_upload_is_read_again_and_its_file_is_deleted_then(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes(), language="en")
    async with working(broker):
        await until(lambda: is_over(meeting))
    assert not upload_files.path(meeting.pk).exists()
    captions = Caption.objects.filter(meeting=meeting).exclude(text="")
    revised = await asyncio.to_thread(lambda: captions.filter(revision__gt=0).count())
    assert revised > 0
    assert len(await asyncio.to_thread(said, meeting)) >= await asyncio.to_thread(captions.count) > 0


async def test_what_a_dead_worker_began_is_gone_on_with(broker: redis.asyncio.Redis, settings: Any) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes(), language="en")
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=False)
    async with working(broker):
        await until(lambda: Meeting.objects.get(pk=meeting.pk).state == State.ENDED)
        await until(lambda: not upload_files.path(meeting.pk).exists())
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=True)
    upload_files.path(meeting.pk).write_bytes(CLIP.read_bytes())
    position = 10 * SAMPLE_RATE
    await asyncio.to_thread(
        SecondPass.objects.create,
        meeting=meeting,
        state=SecondPassState.READING,
        epoch=1,
        position=position,
        claimed_until=timezone.now() - timedelta(seconds=1),
    )
    transcriber = ScriptedTranscriber()
    async with working(broker, transcriber=lambda: transcriber):
        await until(lambda: is_over(meeting))
    requests = [request for batch in transcriber.batches for request in batch]
    assert requests
    assert all(request.start + len(request.audio) > position for request in requests if request.kind == "final")


class Deleter(ScriptedTranscriber):
    """Somebody deletes the meeting while it is read again."""

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        for row in SecondPass.objects.filter(state=SecondPassState.READING):
            row.meeting.delete()
        return super().transcribe(requests)


async def test_a_deletion_ends_it_and_leaves_nothing(broker: redis.asyncio.Redis) -> None:
    meeting = await asyncio.to_thread(uploaded, CLIP.read_bytes(), language="en")
    async with working(broker, transcriber=Deleter):
        await until(lambda: not Meeting.objects.filter(pk=meeting.pk).exists())
        other = await asyncio.to_thread(uploaded, CLIP.read_bytes(), language="en")
        await until(lambda: not Meeting.objects.filter(pk=other.pk).exists())
    assert not await asyncio.to_thread(SecondPass.objects.exists)
    assert not upload_files.path(meeting.pk).exists()


@pytest.mark.parametrize("kept", [False, True], ids=["for this alone", "for people"])
async def test_a_meeting_whose_sound_is_kept_is_read_again_after_its_end(
    broker: redis.asyncio.Redis, *, kept: bool
) -> None:
    meeting = await asyncio.to_thread(
        lambda: Meeting.objects.create(title="Budget", keep_recording=kept, is_read_again=not kept)
    )
    async with working(broker):
        await speak(broker, meeting, load_pcm(CLIP))
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: is_over(meeting))
    assert recordings.flac_path(meeting.pk).exists() is kept
    recordings.delete(meeting.pk)


def test_everything_else_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    step = SecondPassStep(cast(Any, None), cast(Any, None), places=2)
    idle = SimpleNamespace(has_work=False, is_speaking=False, phase="")
    assert step._may_work(cast(Any, {"a": idle}))
    for busy in ({"has_work": True}, {"is_speaking": True}, {"phase": "summarizing"}):
        assert not step._may_work(cast(Any, {"a": idle, "b": SimpleNamespace(**{**vars(idle), **busy})}))
    monkeypatch.setattr(second_pass, "BUSY_WAIT_S", 0.0)
    assert step._may_work(cast(Any, {"b": SimpleNamespace(**{**vars(idle), "has_work": True})}))
