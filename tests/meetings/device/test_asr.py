"""A worker whose Whisper runs through transformers, with real weights: captions, and a real unload in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from django.conf import settings

from inference.audio import SAMPLE_RATE, decode_file
from inference.models.device import CPU
from inference.models.residency.memory import DeviceMemory
from inference.models.residency.plan import Group, ModelNeed, ModelSize
from inference.models.residency.pool import ModelPool
from inference.models.residency.resident import HostOnlyResident
from inference.models.residency.transfers import Member
from inference.speech.asr import DecodeRequest
from inference.speech.backends import speech_bytes
from meetings.broker.audio_log import AudioLog
from meetings.device.asr import ASR, speech_backend, speech_member
from meetings.device.diarization import SPEAKERS
from meetings.device.engines import Loaders
from meetings.device.translation import TRANSLATION
from meetings.environment import Environment
from meetings.models import Meeting, State
from meetings.worker.worker import Worker
from tests.hearing import SENTENCE, is_heard
from tests.inference.diarization.doubles import SilentListener
from tests.inference.doubles import ScriptedTranslator
from tests.live import to_pcm
from tests.meetings.doubles import ScriptedSummarizer, summary_member
from tests.meetings.worker.test_worker import speak, state_of, texts, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("recognition")]


@pytest.fixture
def environment(whisper_base: Path, tmp_path: Path) -> Environment:
    return replace(settings.ENVIRONMENT, device="cpu", asr_backend="transformers", data=tmp_path)


def test_ctranslate2_is_taken_unless_it_is_set(environment: Environment) -> None:
    assert speech_backend(replace(environment, asr_backend="auto")) == "ctranslate2"
    assert speech_backend(environment) == "transformers"


@pytest.mark.long
async def test_a_meeting_is_captioned_and_the_network_is_unloaded_and_comes_back(
    broker: redis.asyncio.Redis, environment: Environment, whisper_base: Path, speech: Path
) -> None:
    sentence = next(decode_file(speech / "lobster_24s.flac", block=15 * SAMPLE_RATE))[round(10.3 * SAMPLE_RATE) :]
    member = speech_member(environment, CPU)
    others = [beside(SPEAKERS, SilentListener), beside(TRANSLATION, ScriptedTranslator)]
    # Room for either.
    memory = DeviceMemory(CPU, member.need.size.total)
    pool = ModelPool([member, *others, summary_member(ScriptedSummarizer)], memory)
    meeting = await Meeting.objects.acreate(title="Crayfish", language="en")
    await speak(broker, meeting, to_pcm(sentence))
    await AudioLog(broker).mark(meeting.pk, "end")
    worker = Worker("worker", Loaders(lambda: pool), broker)
    running = asyncio.create_task(worker.run())
    await until(lambda: state_of(meeting) == State.ENDED, seconds=120)
    worker.stop()
    await asyncio.wait_for(running, 20)
    assert is_heard(SENTENCE, " ".join(await asyncio.to_thread(texts, meeting)))
    request = DecodeRequest(kind="final", start=0, audio=sentence, language="en")
    with pool.use(ASR) as recognizer:
        before = recognizer.transcribe([request])[0].text
    assert weights(member) == pytest.approx(speech_bytes(whisper_base, "transformers", CPU, {}), rel=0.001)
    pool.swap_to_summarization()
    assert weights(member) == 0
    pool.swap_to_transcription()
    with pool.use(ASR) as recognizer:
        assert recognizer.transcribe([request])[0].text == before


def beside(name: str, load: Callable[[], Any]) -> Member:
    """A model that takes no room."""
    resident: HostOnlyResident[Any] = HostOnlyResident(load, warm_up=lambda model: None)
    return Member(name, ModelNeed(name, Group.TRANSCRIPTION, ModelSize(0)), resident)


def weights(member: Member) -> int:
    """Bytes that the network holds."""
    network = member.resident.model.network  # type: ignore[attr-defined]
    return sum(tensor.nbytes for tensor in network.parameters())
