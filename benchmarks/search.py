"""Search: query time over many hours, compared with Django's substring lookup, and the time of a deletion.

The captions have made-up words with natural frequencies (Zipf), a thousand per hour in meetings of one hour. They are
in a separate database with the product's tables and index: SQLite, and PostgreSQL if `PARLANCE_TEST_DATABASE_URL` names
a server that allows creating one. Times are those of one process without concurrent use.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from statistics import median
from typing import Any

from benchmarks.report import REPOSITORY

HOURS = 100.0
LINES_AN_HOUR = 1_000
WORDS_A_LINE = 12
VOCABULARY = 20_000
REPEATS = 7
SHOWN = 100
SEED = 1
SERVER = "PARLANCE_TEST_DATABASE_URL"


def run(hours: float = HOURS) -> dict[str, Any]:
    """Measure each database in a separate process."""
    figures = {"sqlite": _in_new_process(hours)}
    server = os.environ.get(SERVER)
    return figures | ({"postgresql": _in_new_process(hours, DATABASE_URL=server)} if server else {})


def _in_new_process(hours: float, **variables: str) -> dict[str, Any]:
    """Run in a new process with its own data folder."""
    foreign = (SERVER, "DATABASE_URL", "REDIS_URL")
    with tempfile.TemporaryDirectory(prefix="parlance-search-") as folder:
        environment = {name: value for name, value in os.environ.items() if name not in foreign}
        environment |= {"PARLANCE_DATA": folder, "DJANGO_SETTINGS_MODULE": "meetings.settings", **variables}
        command = [sys.executable, "-m", "benchmarks.search", str(round(hours))]
        done = subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(hours: int) -> dict[str, Any]:
    """Fill the database, then search and delete."""
    from meetings.models import Caption

    words = Words()
    filled_s = _seconds(partial(_fill_all, hours, words))
    rare = words.known[-1]
    return {
        "captions": Caption.objects.count(),
        "stored_us_per_caption": round(1e6 * filled_s / (hours * LINES_AN_HOUR)),
        "found_ms": {name: _milliseconds(partial(_find, asked)) for name, asked in queries(words).items()},
        "substring_ms": _milliseconds(lambda: list(Caption.objects.filter(text__icontains=rare)[:SHOWN])),
        "deleted_s": round(_seconds(_delete_one), 2),
    }


def queries(words: Words) -> dict[str, str]:
    """Return the queries by name."""
    common, middling, rare = words.known[0], words.known[500], words.known[-1]
    return {
        "most_common_word": common,
        "word_500": middling,
        "rarest_word": rare,
        "two_words": f"{common} {middling}",
    }


class Words:
    """Made-up words, used with the frequency of their rank."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.known = ["".join(self._random.choices(letters, k=7)) for _ in range(VOCABULARY)]
        self._weights = list(accumulate(1 / place for place in range(1, VOCABULARY + 1)))

    def line(self) -> str:
        return " ".join(self._random.choices(self.known, cum_weights=self._weights, k=WORDS_A_LINE))


def _fill_all(hours: int, words: Words) -> None:
    for number in range(hours):
        fill(number, words)


def fill(number: int, words: Words) -> None:
    """Create one meeting of an hour."""
    from meetings.models import Caption, Meeting

    meeting = Meeting.objects.create(title=f"Meeting {number}")
    Caption.objects.bulk_create(
        Caption(
            meeting=meeting,
            segment=f"{place:06}",
            utterance=f"{place:06}",
            seq=place + 1,
            start=place * 3.6,
            end=place * 3.6 + 3,
            language="en",
            text=words.line(),
        )
        for place in range(LINES_AN_HOUR)
    )


def _find(asked: str) -> None:
    from meetings.search.finding import find

    find(asked, limit=SHOWN)


def _delete_one() -> None:
    from meetings.models import Meeting

    Meeting.objects.earliest("created_at").delete()


def _milliseconds(work: Callable[[], object]) -> float:
    """Return the median of REPEATS runs."""
    return round(1000 * median(_seconds(work) for _ in range(REPEATS)), 1)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure in a database that is removed afterwards."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor == "sqlite":
        call_command("migrate", verbosity=0)
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        print(json.dumps(measure(int(sys.argv[1]))))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
