"""What goes wrong with one meeting stays with it: a real broker, a real database, models that fail on purpose."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis.asyncio
from django.db import DataError, IntegrityError, OperationalError
from django.db.backends.utils import CursorWrapper

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import LocalVoice
from inference.speech.asr import DecodeRequest, Hypothesis
from inference.translation.translator import Translation as Translated
from inference.translation.translator import TranslationRequest
from meetings.broker import hints
from meetings.broker.audio_log import AudioLog, audio_key
from meetings.device.engines import Loaders
from meetings.models import Caption, Meeting, Stage, StageFailure, State, Translation
from meetings.store import recordings, speakers, stage_failures, transcript
from meetings.store.transcript import Lease, commit, take_lease
from meetings.worker import commit as worker_commit
from meetings.worker import publisher
from meetings.worker.isolation import WORKER_DIED, DeviceFailed, trial_key
from meetings.worker.worker import Worker
from tests.inference.diarization.doubles import SteadyListener
from tests.inference.doubles import ScriptedTranscriber, ScriptedTranslator
from tests.live import load_pcm
from tests.meetings.doubles import scripted_pool
from tests.meetings.worker.test_worker import (
    notices_until_the_end,
    speak,
    state_of,
    texts,
    undisturbed,
    until,
    working,
)

pytestmark = pytest.mark.django_db(transaction=True)

POISON = "poison"
"""In a meeting's vocabulary, which comes with each of its requests: the doubles know the culprit by it."""


class PoisonedTranscriber(ScriptedTranscriber):
    """Fails on every batch with a request of a poisoned meeting."""

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        if any(POISON in request.vocabulary for request in requests):
            raise RuntimeError("an empty window")
        return super().transcribe(requests)


class NoBatchTranscriber(ScriptedTranscriber):
    """Fails on more than one request at a time, as when memory is short."""

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        if len(requests) > 1:
            raise RuntimeError("out of memory")
        return super().transcribe(requests)


class BrokenTranscriber(ScriptedTranscriber):
    """Fails whatever it is given, from the first sound on."""

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        raise RuntimeError("an illegal memory access was encountered")


class FailingListener:
    """Fails on sound, and not on noise that is as quiet as a probe."""

    def listen(self, audio: Any) -> tuple[LocalVoice, ...]:
        if abs(audio).max() > 0.1:
            raise ValueError("an empty window")
        return ()


class BrokenListener:
    """Fails whatever it is given."""

    def listen(self, audio: Any) -> tuple[LocalVoice, ...]:
        raise RuntimeError("gone")


class ChoosyTranslator(ScriptedTranslator):
    """Fails on one text."""

    refused = ""

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translated]:
        if any(request.text == self.refused for request in requests):
            raise ValueError("an odd text")
        return super().translate(requests)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Bystander")


@pytest.fixture
def culprit() -> Meeting:
    return Meeting.objects.create(title="Culprit", vocabulary=POISON)


async def failure_of(meeting: Meeting, stage: Stage = Stage.CAPTIONS) -> StageFailure | None:
    return await StageFailure.objects.filter(meeting=meeting, stage=stage).afirst()


async def say_all(broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes) -> None:
    await speak(broker, meeting, pcm)
    await AudioLog(broker).mark(meeting.pk, "end")


async def test_a_meeting_that_cannot_be_decoded_is_put_aside_and_nobody_else_notices(
    broker: redis.asyncio.Redis, meeting: Meeting, culprit: Meeting, pcm: bytes
) -> None:
    expected = await undisturbed(broker, pcm)
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(hints.events_channel(meeting.pk))
        await say_all(broker, culprit, pcm)
        await say_all(broker, meeting, pcm)
        async with working(broker, transcriber=PoisonedTranscriber):
            await until(lambda: state_of(meeting) == State.ENDED)
            await until(lambda: StageFailure.objects.exclude(set_aside_at=None).exists())
            notices = await notices_until_the_end(subscription)
    assert await asyncio.to_thread(texts, meeting) == expected
    assert "degraded" not in notices
    failure = await failure_of(culprit)
    assert failure is not None
    assert (failure.attempts, failure.error) == (3, "builtins.RuntimeError")
    assert await failure_of(meeting) is None
    log = AudioLog(broker)
    assert culprit.pk not in await log.active()
    assert (await log.state(culprit.pk)).phase == "degraded", "who comes late is told"
    assert await broker.xlen(audio_key(culprit.pk)) > len(pcm) // 3200, "its audio stays in the log"


async def test_what_was_put_aside_is_captioned_when_an_operator_has_it_tried_again(
    broker: redis.asyncio.Redis, culprit: Meeting, pcm: bytes
) -> None:
    expected = await undisturbed(broker, pcm)
    await say_all(broker, culprit, pcm)
    async with working(broker, transcriber=PoisonedTranscriber):
        await until(lambda: StageFailure.objects.exclude(set_aside_at=None).exists())
    async with working(broker, "with the mend"):
        for meeting_id in await asyncio.to_thread(stage_failures.try_again):
            await AudioLog(broker).activate(meeting_id)
        await until(lambda: state_of(culprit) == State.ENDED)
    assert await asyncio.to_thread(texts, culprit) == expected
    assert await failure_of(culprit) is None


async def test_what_other_code_put_aside_is_tried_at_the_start(
    broker: redis.asyncio.Redis, culprit: Meeting, pcm: bytes
) -> None:
    await say_all(broker, culprit, pcm)
    async with working(broker, transcriber=PoisonedTranscriber):
        await until(lambda: StageFailure.objects.exclude(set_aside_at=None).exists())
    async with working(broker, "same code"):
        await until(lambda: not Meeting.objects.filter(is_leased=True).exists())
    assert await failure_of(culprit) is not None
    await StageFailure.objects.aupdate(version="another")
    async with working(broker, "other code"):
        await until(lambda: state_of(culprit) == State.ENDED)


async def test_a_batch_that_fails_is_repeated_one_by_one_and_counts_for_nobody(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    expected = await undisturbed(broker, pcm)
    other = await Meeting.objects.acreate(title="Other")
    await say_all(broker, meeting, pcm)
    await say_all(broker, other, pcm)
    async with working(broker, transcriber=NoBatchTranscriber):
        await until(lambda: state_of(meeting) == state_of(other) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == await asyncio.to_thread(texts, other) == expected
    assert not await StageFailure.objects.aexists()


async def test_a_device_that_fails_whatever_it_is_given_ends_the_worker_and_blames_nobody(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await say_all(broker, meeting, pcm)
    worker = Worker("worker", Loaders(lambda: scripted_pool(BrokenTranscriber)), broker)
    with pytest.raises(DeviceFailed):
        await asyncio.wait_for(worker.run(), 20)
    assert not await StageFailure.objects.aexists()
    assert (await Meeting.objects.aget(pk=meeting.pk)).is_leased, "the next worker knows that it was not given back"
    assert await undisturbed(broker, pcm) == await _ended_texts(broker, meeting)


async def _ended_texts(broker: redis.asyncio.Redis, meeting: Meeting) -> list[str]:
    async with working(broker, "next"):
        await until(lambda: state_of(meeting) == State.ENDED)
    return await asyncio.to_thread(texts, meeting)


@pytest.mark.parametrize("error", [IntegrityError("twice"), DataError("nan"), ValueError("a bug")])
async def test_what_cannot_be_stored_is_not_tried_for_ever(
    broker: redis.asyncio.Redis,
    meeting: Meeting,
    culprit: Meeting,
    pcm: bytes,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    expected = await undisturbed(broker, pcm)

    def refusing(lease: Lease, *found: Any, **options: Any) -> int:
        if lease.meeting_id == culprit.pk:
            raise error
        return commit(lease, *found, **options)

    monkeypatch.setattr(transcript, "commit", refusing)
    await say_all(broker, culprit, pcm)
    await say_all(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: state_of(meeting) == State.ENDED)
        await until(lambda: StageFailure.objects.exclude(set_aside_at=None).exists())
    assert await asyncio.to_thread(texts, meeting) == expected
    assert await asyncio.to_thread(texts, culprit) == []


@pytest.mark.parametrize("checkpoint", ['{"version": 2, "all": "new"}', "nonsense", '{"boundary": {}}'])
async def test_a_checkpoint_of_another_version_is_ignored(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, checkpoint: str
) -> None:
    following = await speak(broker, meeting, pcm[: 12 * SAMPLE_RATE * 2])
    async with working(broker, "older"):
        await until(lambda: len(texts(meeting)) >= 2)
    before = await asyncio.to_thread(texts, meeting)
    cursor = (await Meeting.objects.aget(pk=meeting.pk)).cursor
    await Meeting.objects.filter(pk=meeting.pk).aupdate(checkpoint=checkpoint)
    await speak(broker, meeting, pcm[12 * SAMPLE_RATE * 2 :], first=following)
    await AudioLog(broker).mark(meeting.pk, "end")
    async with working(broker, "newer"):
        await until(lambda: state_of(meeting) == State.ENDED)
    after = await asyncio.to_thread(texts, meeting)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    later = [row async for row in Caption.objects.filter(meeting=meeting).order_by("start")][len(before) :]
    assert all(row.start >= cursor / SAMPLE_RATE - 0.5 for row in later)
    assert not await StageFailure.objects.aexists()


# ---- a database that is away for everybody ---------------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Has every query of this process refused, as by a server that is restarted."""
    real = CursorWrapper._execute_with_wrappers
    is_away = False

    def execute(self: CursorWrapper, *args: Any, **options: Any) -> Any:
        if is_away:
            raise OperationalError("the server closed the connection unexpectedly")
        return real(self, *args, **options)

    def switch(state: bool) -> None:
        nonlocal is_away
        is_away = state

    monkeypatch.setattr(CursorWrapper, "_execute_with_wrappers", execute)
    return switch


async def told(subscription: Any, state: str, *meetings: Meeting) -> None:
    """Returns when each of the meetings has had the notice."""
    awaited = {hints.events_channel(meeting.pk).encode() for meeting in meetings}
    async with asyncio.timeout(30):
        while awaited:
            message = await subscription.get_message(timeout=5)
            if message is not None and f'"state": "{state}"'.encode() in message["data"]:
                awaited.discard(message["channel"])


async def test_every_step_waits_for_a_database_that_is_away_and_everybody_is_told(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, away: Callable[[bool], None]
) -> None:
    expected = await undisturbed(broker, pcm)
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt"], summary_every_s=30)
    quiet = await Meeting.objects.acreate(title="Nothing is said here now")
    await speak(broker, quiet, pcm[:32_000])
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(*(hints.events_channel(one.pk) for one in (meeting, quiet)))
        async with working(broker, listener=SteadyListener) as running:
            half = len(pcm) // 2 // 3200 * 3200
            following = await speak(broker, meeting, pcm[:half])
            await until(lambda: len(texts(meeting)) >= 1)
            away(True)
            await speak(broker, meeting, pcm[half:], first=following)
            await AudioLog(broker).mark(meeting.pk, "end")
            await told(subscription, "degraded", meeting, quiet)
            away(False)
            await told(subscription, "live", quiet)
            await until(lambda: state_of(meeting) == State.ENDED)
            assert running._streams.keys() >= {quiet.pk}
    assert await asyncio.to_thread(texts, meeting) == expected
    assert not await StageFailure.objects.aexists()


# ---- a worker that died ----------------------------------------------------------------------------------------------


async def test_a_meeting_whose_worker_died_is_captioned_alone_and_then_trusted_again(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    expected = await undisturbed(broker, pcm)
    await asyncio.to_thread(take_lease, meeting.pk)
    await say_all(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert await asyncio.to_thread(texts, meeting) == expected
    assert await broker.exists(trial_key(meeting.pk)) == 0
    assert not (await Meeting.objects.aget(pk=meeting.pk)).is_leased


async def test_three_deaths_alone_with_a_meeting_put_it_aside(
    broker: redis.asyncio.Redis, meeting: Meeting, culprit: Meeting, pcm: bytes
) -> None:
    await say_all(broker, culprit, pcm)
    for _ in range(2):
        await asyncio.to_thread(
            stage_failures.record_failure, culprit.pk, Stage.CAPTIONS, position=0, error=WORKER_DIED
        )
    await asyncio.to_thread(take_lease, culprit.pk)
    await broker.set(trial_key(culprit.pk), Stage.CAPTIONS.value)
    await say_all(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: state_of(meeting) == State.ENDED)
        await until(lambda: StageFailure.objects.exclude(set_aside_at=None).exists())
    assert await asyncio.to_thread(texts, culprit) == []
    assert culprit.pk not in await AudioLog(broker).active()


async def test_a_death_that_left_no_trial_counts_for_nobody(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await asyncio.to_thread(take_lease, meeting.pk)
    await say_all(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: len(texts(meeting)) >= 1)
        assert await failure_of(meeting) is None


async def test_a_meeting_that_gets_past_the_place_is_cleared_of_its_failures(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    for _ in range(2):
        await asyncio.to_thread(stage_failures.record_failure, meeting.pk, Stage.CAPTIONS, position=0, error="x")
    await speak(broker, meeting, pcm)
    async with working(broker):
        await until(lambda: not StageFailure.objects.exists())
    assert len(await asyncio.to_thread(texts, meeting)) >= 1


# ---- speakers and languages beside the captions ----------------------------------------------------------------------


async def test_sound_that_a_listener_fails_on_is_nobodys_and_the_meeting_goes_on(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await say_all(broker, meeting, pcm)
    async with working(broker, listener=FailingListener):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert len(await asyncio.to_thread(texts, meeting)) >= 4
    assert not await StageFailure.objects.aexists()


async def test_a_listener_that_is_broken_costs_names_and_no_caption(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes
) -> None:
    await say_all(broker, meeting, pcm)
    async with working(broker, listener=BrokenListener):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert {caption.speaker async for caption in Caption.objects.filter(meeting=meeting)} == {""}
    assert not await StageFailure.objects.aexists(), "the model is to blame, not the meeting"


async def test_labels_that_cannot_be_stored_are_given_up_and_the_meeting_ends(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: Any) -> int:
        raise DataError("odd")

    monkeypatch.setattr(speakers, "label_captions", refusing)
    await say_all(broker, meeting, pcm)
    async with working(broker, listener=SteadyListener):
        await until(lambda: state_of(meeting) == State.ENDED)
    assert len(await asyncio.to_thread(texts, meeting)) >= 4
    failure = await failure_of(meeting, Stage.SPEAKERS)
    assert failure is not None
    assert failure.set_aside_at is not None


async def test_a_text_that_a_translator_fails_on_stands_as_it_was_said(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await undisturbed(broker, pcm)
    monkeypatch.setattr(ChoosyTranslator, "refused", expected[1])
    await Meeting.objects.filter(pk=meeting.pk).aupdate(languages=["pt"])
    await say_all(broker, meeting, pcm)
    async with working(broker, translator=ChoosyTranslator):
        await until(lambda: state_of(meeting) == State.ENDED)
    rows = [row async for row in Translation.objects.filter(caption__meeting=meeting).select_related("caption")]
    assert {row.caption.text: (row.text, row.is_translated) for row in rows} == {
        text: (text, False) if text == expected[1] else (f"pt: {text}", True) for text in expected
    }


# ---- recordings ------------------------------------------------------------------------------------------------------


def assert_same_sound(found: bytes, expected: bytes) -> None:
    """But for the rounding of samples that were decoded and encoded once more."""
    one, other = (np.frombuffer(pcm, "<i2").astype(int) for pcm in (found, expected))
    assert len(one) == len(other)
    assert np.abs(one - other).max() <= 1


async def test_a_recording_has_no_hole_whatever_falls_between_captions_and_sound(
    broker: redis.asyncio.Redis, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await Meeting.objects.acreate(title="Kept", keep_recording=True)
    real, calls = recordings.write, 0

    def failing_at_first(meeting_id: str, entries: Any) -> None:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise OSError(28, "No space left on device")
        real(meeting_id, entries)

    monkeypatch.setattr(recordings, "write", failing_at_first)
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, kept, pcm[:half])
    async with working(broker, "first"):
        await until(lambda: len(texts(kept)) >= 2)
    await speak(broker, kept, pcm[half:], first=following)
    await AudioLog(broker).mark(kept.pk, "end")
    async with working(broker, "second"):
        await until(lambda: state_of(kept) == State.ENDED)
        await until(recordings.flac_path(kept.pk).exists)
    assert calls > 2
    assert_same_sound(load_pcm(recordings.flac_path(kept.pk)), pcm)
    assert not await StageFailure.objects.aexists()
    recordings.delete(kept.pk)


async def test_a_worker_that_dies_between_captions_and_sound_leaves_no_hole(
    broker: redis.asyncio.Redis, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await Meeting.objects.acreate(title="Kept", keep_recording=True)
    real, dropped = worker_commit.record, asyncio.Event()

    async def lost(stream: Any, until_sample: int) -> bool:
        if not dropped.is_set():
            dropped.set()
            raise ConnectionResetError("as of a kill between the two")
        return await real(stream, until_sample)

    monkeypatch.setattr(worker_commit, "record", lost)
    await say_all(broker, kept, pcm)
    async with working(broker):
        await until(recordings.flac_path(kept.pk).exists)
    assert dropped.is_set()
    assert_same_sound(load_pcm(recordings.flac_path(kept.pk)), pcm)
    recordings.delete(kept.pk)


def test_sound_that_is_not_in_the_recording_keeps_the_log(meeting: Meeting) -> None:
    lease = Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)
    commit(lease, [], None, recorded_until=16_000)
    assert Meeting.objects.get().recorded_until == 16_000


async def test_a_write_that_waits_for_a_lock_is_told_before_it_is_refused(
    broker: redis.asyncio.Redis, meeting: Meeting, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "SLOW_STORE_S", 0.2)
    may_go_on = threading.Event()

    def slow(*found: Any, **options: Any) -> int:
        may_go_on.wait(30)
        return commit(*found, **options)

    monkeypatch.setattr(transcript, "commit", slow)
    quiet = await Meeting.objects.acreate(title="Nothing is said here now")
    await AudioLog(broker).claim(quiet.pk, "page", takeover=False, cursor=0)
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(*(hints.events_channel(one.pk) for one in (meeting, quiet)))
        await say_all(broker, meeting, pcm)
        async with working(broker):
            await told(subscription, "degraded", meeting, quiet)
            may_go_on.set()
            await told(subscription, "live", quiet)
            await until(lambda: state_of(meeting) == State.ENDED)
    assert len(await asyncio.to_thread(texts, meeting)) >= 4
