"""Bundled sample recording, played into a meeting as if by a host: a demonstration that needs no microphone.

The web process that receives the request acts as the host: it appends frames to the audio log in real time, and the
rest works as in any meeting. One sample plays at a time, across all processes.
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
from meetings.broker.audio_log import AppendOutcome, AudioLog
from meetings.models import Meeting
from meetings.offers import offered_targets
from meetings.store.summary_attempts import LONGEST_INTERVAL_S

log = structlog.get_logger(__name__)

CLIP = Path(__file__).resolve().parent.parent / "data" / "sample.flac"
"""Its source is in SAMPLE.md, in the same folder."""

LANGUAGE, TARGET = "en", "pt"
PEOPLE = 2

PLAYING = "parlance:sample"
"""Broker key that holds the id of the meeting in which the sample is playing."""

LONGEST_MS = 90_000
"""Expiry of PLAYING, so that a process that died does not block others: three times the clip."""

AN_HOUR_S = 3600
MOST_AN_HOUR = 6
"""Samples per host."""


class SamplePlaying(Exception):
    """Another sample is playing."""

    def __init__(self, meeting_id: str) -> None:
        super().__init__(f"The sample is being spoken into meeting {meeting_id}.")
        self.meeting_id = meeting_id


class TooManySamples(Exception):
    """This host has reached the hourly limit."""


def begin(owner_id: int, broker: redis.Redis) -> Meeting:
    """Store and return the meeting to call `speak` for.

    Raises:
        SamplePlaying, TooManySamples: nothing was stored.
        redis.exceptions.RedisError, OSError: the broker is unreachable; nothing was stored.
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
    """Play the clip into the meeting at `pace` times real time, and end the meeting."""
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
    """Return the clip in the frames that a host's browser would send."""
    return list(file_frames(decode_file(CLIP)))


async def _append(
    audio: AudioLog, meeting_id: str, connection: str, frames: Sequence[ReplayFrame], pace: float
) -> None:
    """Append the frames; stop if another host has taken over."""
    began = time.monotonic()
    for frame in frames:
        spoken_at = began + (frame.number + 1) * FRAME_S / pace
        await asyncio.sleep(max(0.0, spoken_at - time.monotonic()))
        appended = await audio.append(meeting_id, connection, frame.number, frame.pcm)
        if appended.outcome is not AppendOutcome.STORED:
            return


def _sample_meeting(owner_id: int) -> Meeting:
    """Return a meeting with a summary at its end; the recording is kept, so that lines can be played."""
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
    """Count the sample; return whether the host may play it."""
    key = f"{PLAYING}:{owner_id}"
    count = broker.incr(key)
    if count == 1:
        broker.expire(key, AN_HOUR_S)
    return int(count) <= MOST_AN_HOUR
