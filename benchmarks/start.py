"""Start: seconds from `manage.py live` to ready, and to the first caption, everything installed and cached.

Ready is when the sign-in link is printed: pages and a worker respond. The first caption is that of a host who starts to
play a clip at that moment. Every run has its own data folder with a migrated database.
"""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path
from typing import Any

from benchmarks.report import REPOSITORY
from tests.live import Host, Reader, RunningParlance, frames_of, load_pcm, running_parlance

RUNS = 3
CLIP = REPOSITORY / "tests" / "speech" / "lobster_24s.flac"
CLIP_FRAMES = 60
"""Six seconds, in which a sentence begins."""


def run() -> dict[str, Any]:
    """Return the medians of three starts."""
    runs = [measure(CLIP) for _ in range(RUNS)]
    return {
        "ready_s": round(statistics.median(run["ready_s"] for run in runs), 2),
        "first_words_s": round(statistics.median(run["first_words_s"] for run in runs), 2),
        "runs": runs,
    }


def measure(clip: Path) -> dict[str, float]:
    """Measure one start. `first_words_s` also counts from the start, and includes the clip's leading silence."""
    with running_parlance() as parlance:
        ready_s = parlance.ready_s
        first_s = asyncio.run(first_words(parlance, clip))
    return {"ready_s": round(ready_s, 2), "first_words_s": round(ready_s + first_s, 2)}


async def first_words(parlance: RunningParlance, clip: Path) -> float:
    """Return the seconds from the first frame to the first text on a viewer's screen."""
    links = await asyncio.to_thread(parlance.create_meeting)
    host, reader = Host(links, frames_of(load_pcm(clip))[:CLIP_FRAMES]), Reader(links)
    await asyncio.gather(host.play(), reader.watch())
    return next(at - host.started for at, message in reader.messages if message["type"] in ("partial", "caption"))
