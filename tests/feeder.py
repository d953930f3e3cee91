"""Writes captions into a meeting as its worker would, without models: `python -m tests.feeder MEETING --count N`.

Runs in the environment of the product that it feeds. Prints a JSON object with, for each `seq`, the `time.monotonic`
at which its bell was rung.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator

import django

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody looks. "


def feed(
    meeting_id: str, *, count: int, first: int = 0, size: int = 80, rate: float = 0.0, batch: int = 1
) -> dict[int, float]:
    """Stores and announces `count` captions of `size` characters, `batch` to a transaction, `rate` a second (0: as
    fast as they can be stored)."""
    from inference.types import FinalCaption
    from meetings.broker import client, hints
    from meetings.store import transcript

    lease = transcript.Lease(meeting_id, transcript.take_lease(meeting_id).lease_epoch)
    bells = client.connect_sync()
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    rung: dict[int, float] = {}
    for numbers in _paced(range(first, first + count), rate=rate, batch=batch):
        finals = [FinalCaption(f"{number:09d}", number, number + 1.0, text, "en", ()) for number in numbers]
        seq = transcript.commit(lease, finals, None)
        at = time.monotonic()
        bells.publish(hints.events_channel(meeting_id), hints.pack([hints.StoredChange(seq)]))
        rung.update(dict.fromkeys(range(seq - len(finals) + 1, seq + 1), at))
    return rung


def _paced(numbers: range, *, rate: float, batch: int) -> Iterator[range]:
    """Slices of `numbers`, each when it is due."""
    started = time.monotonic()
    for at in range(0, len(numbers), batch):
        if rate:
            time.sleep(max(0.0, started + at / rate - time.monotonic()))
        yield numbers[at : at + batch]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("meeting")
    parser.add_argument("--first", type=int, default=0, help="number of the first caption: its place in the meeting")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, default=80, help="characters of a caption")
    parser.add_argument("--rate", type=float, default=0.0, help="captions a second; 0: as fast as possible")
    parser.add_argument("--batch", type=int, default=1, help="captions to a transaction")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    django.setup()
    rung = feed(
        chosen.meeting,
        first=chosen.first,
        count=chosen.count,
        size=chosen.size,
        rate=chosen.rate,
        batch=chosen.batch,
    )
    json.dump(rung, sys.stdout)


if __name__ == "__main__":
    main()
