"""While a summary is written, a bridge shows what is said; the captions are those of a meeting without one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redis.asyncio
from django.conf import settings

from inference.audio import SAMPLE_RATE
from inference.models.loading import ModelMissing
from inference.speech.asr import DecodeRequest, Transcriber
from meetings.broker import hints
from meetings.broker.audio_log import AudioLog
from meetings.device.engines import is_bridged, load_bridge
from meetings.environment import read_environment
from meetings.models import Caption, Meeting, State
from meetings.store import summary_attempts
from meetings.worker import summarize
from meetings.worker.bridge import SwapBridge
from tests.inference.doubles import ScriptedTranscriber
from tests.live import load_pcm
from tests.meetings.doubles import ScriptedSummarizer
from tests.meetings.worker.test_worker import caption_all, speak, state_of, texts, until, working


@pytest.fixture(scope="module")
def pcm() -> bytes:
    return load_pcm(Path(__file__).parents[2] / "speech" / "lobster_24s.flac")


@pytest.mark.django_db(transaction=True)
async def test_what_is_said_meanwhile_is_shown_under_the_ids_of_its_captions(
    broker: redis.asyncio.Redis, pcm: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summarize, "PAUSE_WAIT_S", 0.5)
    twin = await Meeting.objects.acreate(title="Undisturbed")
    meeting = await Meeting.objects.acreate(title="Budget")
    expected = await caption_all(broker, twin, pcm)
    summarizer = ScriptedSummarizer()
    summarizer.may_end.clear()
    half = len(pcm) // 2 // 3200 * 3200
    following = await speak(broker, meeting, pcm[:half])
    shown: dict[str, hints.PartialMessage] = {}
    async with working(broker, summarizer=lambda: summarizer, bridge=ScriptedTranscriber):
        await until(lambda: len(texts(meeting)) >= 1)
        listening = asyncio.create_task(collect(broker, meeting, shown))
        await asyncio.to_thread(summary_attempts.ask, meeting.pk)
        await asyncio.to_thread(summarizer.begun.wait, 20)
        await speak(broker, meeting, pcm[half:], first=following)
        await until(lambda: len(shown) >= 3)
        summarizer.may_end.set()
        await AudioLog(broker).mark(meeting.pk, "end")
        await until(lambda: state_of(meeting) == State.ENDED)
        listening.cancel()
    assert await asyncio.to_thread(texts, meeting) == expected
    written = {caption.segment async for caption in Caption.objects.filter(meeting=meeting)}
    assert set(shown) <= written


async def collect(broker: redis.asyncio.Redis, meeting: Meeting, shown: dict[str, hints.PartialMessage]) -> None:
    """The provisional texts that the room is shown, by segment."""
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(hints.events_channel(meeting.pk))
        async for told in subscription.listen():
            for hint in hints.unpack(told["data"]):
                message = hint.message if isinstance(hint, hints.Broadcast) else None
                if message and message["type"] == "partial" and message["provisional"]:
                    shown[message["segment"]] = message


def test_without_its_weights_there_is_no_bridge_and_it_is_asked_for_once() -> None:
    asked = []

    def load() -> Transcriber:
        asked.append(1)
        raise ModelMissing("whisper-base is not here.")

    bridge = SwapBridge(load)
    bridge.prepare()
    bridge.prepare()
    assert (len(asked), bridge.is_ready, bridge.turn({})) == (1, False, {})


@pytest.mark.parametrize(("choice", "bridged"), [("auto", False), ("on", True), ("off", False)])
def test_on_a_cpu_it_is_on_where_it_is_asked_for(choice: str, bridged: bool, tmp_path: Path) -> None:
    values = {"PARLANCE_DATA": str(tmp_path), "PARLANCE_DEVICE": "cpu", "PARLANCE_BRIDGE": choice}
    assert is_bridged(read_environment(values)) is bridged


def test_the_real_one_is_a_small_whisper(whisper_base: Path) -> None:
    environment = replace(settings.ENVIRONMENT, models=whisper_base.parent)
    heard = DecodeRequest(kind="live", start=0, audio=np.zeros(SAMPLE_RATE, np.float32), language="en")
    [hypothesis] = load_bridge(environment).transcribe([heard])
    assert hypothesis.language == "en"
