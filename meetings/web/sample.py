"""A recording that comes with Parlance, spoken into a meeting as a host would speak: a first look without a microphone.

The web process that was asked is the host: it appends the frames to the audio log at the pace of speech, and from there
on all is as in any meeting. One sample at a time is spoken, whichever process is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import redis
import redis.asyncio
import structlog
from django.conf import settings
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from inference.audio import decode_file
from meetings.batch.replay import FRAME_S, ReplayFrame, file_frames
from meetings.broker.audio_log import AudioLog, Outcome
from meetings.models import Meeting
from meetings.offers import offered_targets
from meetings.store.summaries import LONGEST_INTERVAL_S

log = structlog.get_logger(__name__)

CLIP = Path(__file__).resolve().parent.parent / "data" / "sample.flac"
"""SAMPLE.md beside it names its source."""

LANGUAGE, TARGET = "en", "pt"
PEOPLE = 2

PLAYING = "parlance:sample"
"""Key in the broker: the id of the meeting into which the sample is being spoken."""

LONGEST_MS = 90_000
"""After so long a process that has died in the middle keeps nobody out; three times the clip."""

AN_HOUR_S = 3600
MOST_AN_HOUR = 6
"""Samples of one host."""


class SamplePlaying(Exception):
    """Another sample is being spoken."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"The sample is being spoken into meeting {meeting_id}.")
        self.meeting_id = meeting_id


class TooManySamples(Exception):
    """This host has heard it often enough for now."""


def begin(owner_id: int, broker: redis.Redis) -> Meeting:
    """A stored meeting that `speak` is to be called for.

    Raises:
        SamplePlaying, TooManySamples: nothing was stored.
        redis.exceptions.RedisError, OSError: the broker is away; nothing was stored.
    """
    meeting = _sample_meeting(owner_id)
    if not broker.set(PLAYING, meeting.pk, nx=True, px=LONGEST_MS):
        playing = broker.get(PLAYING)
        raise SamplePlaying(playing.decode() if isinstance(playing, bytes) else "")
    if not _spend(owner_id, broker):
        broker.delete(PLAYING)
        raise TooManySamples
    meeting.save()
    return meeting


async def speak(meeting_id: str, broker: redis.asyncio.Redis, *, pace: float = 1.0) -> None:
    """Speaks the clip into the meeting, `pace` times as fast as it was spoken, and ends the meeting."""
    audio = AudioLog(broker)
    connection = f"sample:{meeting_id}"
    frames = await asyncio.to_thread(sample_frames)
    try:
        if await audio.claim(meeting_id, connection, takeover=False, cursor=0):
            await _append(audio, meeting_id, connection, frames, pace)
            await audio.mark(meeting_id, "end")
        log.info("sample_spoken", meeting=meeting_id)
    except (RedisError, OSError) as error:
        log.warning("sample_broken_off", meeting=meeting_id, error=str(error))
    else:
        await broker.delete(PLAYING)


def sample_frames() -> list[ReplayFrame]:
    """The clip as a host's browser would send it."""
    return list(file_frames(decode_file(CLIP)))


async def _append(
    audio: AudioLog, meeting_id: str, connection: str, frames: Sequence[ReplayFrame], pace: float
) -> None:
    """Stops where somebody else has become the host."""
    began = time.monotonic()
    for frame in frames:
        spoken_at = began + (frame.number + 1) * FRAME_S / pace
        await asyncio.sleep(max(0.0, spoken_at - time.monotonic()))
        appended = await audio.append(meeting_id, connection, frame.number, frame.pcm)
        if appended.outcome is not Outcome.STORED:
            return


def _sample_meeting(owner_id: int) -> Meeting:
    """Summed up at its end; the recording is kept, so that its lines can be heard."""
    targets = [TARGET] if TARGET in offered_targets(settings.ENVIRONMENT, LANGUAGE) else []
    return Meeting(
        title=_("A sample meeting"),
        owner_id=owner_id,
        language=LANGUAGE,
        languages=targets,
        expected_speakers=PEOPLE,
        summary_every_s=LONGEST_INTERVAL_S,
        keep_recording=True,
    )


def _spend(owner_id: int, broker: redis.Redis) -> bool:
    """Whether the host may hear it once more."""
    key = f"{PLAYING}:{owner_id}"
    count = broker.incr(key)
    if count == 1:
        broker.expire(key, AN_HOUR_S)
    return int(count) <= MOST_AN_HOUR
