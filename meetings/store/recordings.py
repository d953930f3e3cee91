"""Recordings of meetings: raw samples while the meeting runs, one FLAC file after its end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from django.conf import settings

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import SAMPLE_BYTES, AudioEntry

ENCODE_SAMPLES = SAMPLE_RATE * 10


def folder() -> Path:
    return Path(settings.ENVIRONMENT.data) / "recordings"


def raw_path(meeting_id: str) -> Path:
    return folder() / f"{meeting_id}.s16le"


def flac_path(meeting_id: str) -> Path:
    return raw_path(meeting_id).with_suffix(".flac")


def write(meeting_id: str, entries: Iterable[AudioEntry]) -> None:
    """Write audio at its own position in the raw file, so that repeating the write after a crash changes nothing.

    The audio is synced to disk on return. Raises OSError.
    """
    entries = [entry for entry in entries if entry.pcm]
    if not entries:
        return
    path = raw_path(meeting_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("r+b") as file:
        for entry in entries:
            file.seek(entry.sample * SAMPLE_BYTES)
            file.write(entry.pcm)
        file.flush()
        os.fsync(file.fileno())


def finish(meeting_id: str) -> Path | None:
    """Encode the raw samples as FLAC; return None if there are none, as after an earlier call. Raises OSError.

    The FLAC gets its name when it is complete, so that a crash before that only means starting again.
    """
    import av

    raw = raw_path(meeting_id)
    if not raw.exists():
        return None
    partial = flac_path(meeting_id).with_suffix(".partial")
    samples = np.memmap(raw, dtype="<i2", mode="r") if raw.stat().st_size else np.zeros(0, "<i2")
    with av.open(str(partial), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for start in range(0, len(samples), ENCODE_SAMPLES):
            block = np.ascontiguousarray(samples[start : start + ENCODE_SAMPLES]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    os.replace(partial, flac_path(meeting_id))
    raw.unlink(missing_ok=True)  # a deletion may have come first
    return flac_path(meeting_id)


def delete(meeting_id: str) -> None:
    """Delete all audio files of a meeting."""
    for path in (raw_path(meeting_id), flac_path(meeting_id), flac_path(meeting_id).with_suffix(".partial")):
        path.unlink(missing_ok=True)
