"""Capacity: how many live meetings one machine captions at once, with one worker and web process and with two of each.

All models run. In each meeting a host plays the same speech at real time, starting at a different point so that phrases
end at different moments; one viewer reads. *Delay* is from the end of a phrase to its final at the viewer; *lag* is the
stored audio without a final, including the current phrase. A machine keeps up if 95 of 100 finals arrive within
PROMPT_S and no viewer is told that captions are catching up. Meetings are added one at a time until it does not. The
last number it kept up with and the first it did not are then run by two workers and two web processes on the same
Valkey and database, with host and viewer at different web processes. On one machine that shows the cost of sharing, not
the gain of more machines. `--quick` runs one meeting of 8 s in each layout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.layouts import Layout, running_layout
from benchmarks.pauses import first_finals
from benchmarks.report import REPOSITORY
from benchmarks.statistics import percentile
from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import state_key
from meetings.broker.leases import lease_key
from tests.live import Host, MeetingLinks, Reader, frames_of, load_pcm

CLIP = REPOSITORY / "tests" / "speech" / "lobster_41s.flac"
SECONDS = 30.0
QUICK_S = 8.0
MOST = 6
COPIES = 2
"""Number of workers and of web processes in the second layout."""

PROMPT_S = 5.0
GRACE_S = 40.0
"""Seconds to wait for captions after the last frame."""

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Held:
    """Results for a number of simultaneous meetings, as seen by their viewers, in seconds."""

    meetings: int
    finals: int
    delay_p50_s: float
    delay_p95_s: float
    largest_lag_s: float
    told_catching_up: bool
    ended_after_s: float | None
    """From the last frame to the end of the last meeting, including diarization; None if it exceeded GRACE_S."""
    partials_per_s: float
    """Live texts per second of a meeting; a worker short of time sends fewer."""
    meetings_by_worker: list[int]
    cpu_s_per_audio_s: dict[str, float]
    resident_mib: dict[str, float]

    @property
    def keeps_up(self) -> bool:
        return self.ended_after_s is not None and not self.told_catching_up and self.delay_p95_s <= PROMPT_S


def run(*, quick: bool = False) -> dict[str, Any]:
    """Run the ladder with one of each process, then its edge with two. Each step is printed to standard error."""
    seconds, most = (QUICK_S, 1) if quick else (SECONDS, MOST)
    with running_layout(1) as one:
        alone = climb(lambda count: hold(one, count, seconds=seconds), most=most)
    with running_layout(COPIES) as several:
        shared = [told(hold(several, held.meetings, seconds=seconds)) for held in alone[-2:]]
    return {
        "seconds": seconds,
        "prompt_s": PROMPT_S,
        "one_worker_one_web": figures(alone),
        "two_workers_two_webs": figures(shared),
    }


def climb(step: Callable[[int], Held], *, most: int) -> list[Held]:
    """Add one meeting at a time, up to the first number that is too many."""
    steps: list[Held] = []
    while len(steps) < most and (not steps or steps[-1].keeps_up):
        steps.append(told(step(len(steps) + 1)))
    return steps


def figures(steps: Sequence[Held]) -> dict[str, Any]:
    return {
        "keeps_up_with": max((held.meetings for held in steps if held.keeps_up), default=0),
        "steps": [{**asdict(held), "keeps_up": held.keeps_up} for held in steps],
    }


def told(held: Held) -> Held:
    print(json.dumps({**asdict(held), "keeps_up": held.keeps_up}), file=sys.stderr, flush=True)
    return held


def hold(layout: Layout, count: int, *, seconds: float) -> Held:
    """Run `count` meetings of `seconds` at once, from first frame to end."""
    made = [layout.parlance.create_meeting("--language", "en") for _ in range(count)]
    gathering = Gathering(layout, made, seconds)
    before = layout.cpu_s()
    asyncio.run(gathering.hold())
    spent = {name: round((after - before[name]) / seconds / count, 3) for name, after in layout.cpu_s().items()}
    delays = gathering.delays()
    return Held(
        meetings=count,
        finals=len(delays),
        delay_p50_s=round(percentile(delays, 50), 2),
        delay_p95_s=round(percentile(delays, 95), 2),
        largest_lag_s=round(gathering.largest_lag_s, 1),
        told_catching_up=gathering.was_told("catching_up"),
        ended_after_s=gathering.ended_after_s,
        partials_per_s=round(gathering.partials() / seconds / count, 2),
        meetings_by_worker=sorted(Counter(gathering.owners.values()).values(), reverse=True),
        cpu_s_per_audio_s=spent,
        resident_mib=layout.resident_mib(),
    )


@dataclass
class Gathering:
    """Meetings held at the same time."""

    layout: Layout
    made: list[MeetingLinks]
    seconds: float
    largest_lag_s: float = 0.0
    ended_after_s: float | None = None
    owners: dict[str, str] = field(default_factory=dict)
    """The worker of each meeting."""

    def __post_init__(self) -> None:
        frames = frames_of(load_pcm(CLIP))
        self._hosts = [
            Host(self.layout.links(links, place), played(frames, place / len(self.made), self.seconds))
            for place, links in enumerate(self.made)
        ]
        self._readers = [Reader(self.layout.links(links, place + 1)) for place, links in enumerate(self.made)]

    async def hold(self) -> None:
        """Run until all have ended or the time is up."""
        meeting = [*(host.play() for host in self._hosts), *(reader.watch() for reader in self._readers)]
        looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(self.seconds + GRACE_S):
                await asyncio.gather(*meeting)
            last_frame = max(host.started for host in self._hosts) + self.seconds
            self.ended_after_s = round(time.monotonic() - last_frame, 1)
        except TimeoutError:
            pass
        finally:
            looking.cancel()

    def delays(self) -> list[float]:
        """Return the delays from the end of each phrase to its final."""
        return [
            at - host.started - end
            for host, reader in zip(self._hosts, self._readers, strict=True)
            for at, end in first_finals(reader.messages)
        ]

    def was_told(self, state: str) -> bool:
        return any(message.get("state") == state for reader in self._readers for _, message in reader.messages)

    def partials(self) -> int:
        return sum(message["type"] == "partial" for reader in self._readers for _, message in reader.messages)

    async def _look(self) -> None:
        while True:
            await asyncio.to_thread(self._look_once)
            await asyncio.sleep(LOOK_S)

    def _look_once(self) -> None:
        broker = self.layout.broker
        for links in self.made:
            stored, captioned = broker.hmget(state_key(links.id), ("next_sample", "captioned"))
            self.largest_lag_s = max(self.largest_lag_s, (int(stored or 0) - int(captioned or 0)) / SAMPLE_RATE)
            owner = broker.get(lease_key(links.id))
            if owner is not None:
                self.owners[links.id] = owner.decode()


def played(frames: Sequence[bytes], place: float, seconds: float) -> list[bytes]:
    """Return `seconds` of the clip, starting at the fraction `place` (0 to 1) of it."""
    first = int(place * len(frames))
    return [*frames[first:], *frames[:first]][: round(seconds * 10)]
