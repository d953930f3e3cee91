"""A meeting as an older version left it, put into a running product: `python -m tests.faults.older_version MEETING`.

`db43a70.json` was recorded with that version's own code by `record_version.py`, which says how. Runs in the environment
of the product.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

RECORDED = Path(__file__).parent / "db43a70.json"


def recorded() -> dict[str, Any]:
    """The record."""
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def restore(meeting_id: str, frames: list[bytes]) -> None:
    """The rows and the log, with the clip's own sound."""
    from meetings.broker import client as broker_client
    from meetings.broker.audio_log import ACTIVE, audio_key, state_key
    from meetings.models import Caption, Meeting

    record = recorded()
    Meeting.objects.filter(pk=meeting_id).update(**record["meeting"])
    for row in record["captions"]:
        Caption.objects.create(meeting_id=meeting_id, **{**row, "words": json.loads(row["words"])})
    client = broker_client.connect_sync()
    for number, fields in record["log"]["entries"]:
        sound = {} if "m" in fields else {"p": frames[int(number.partition("-")[0]) - 1]}
        client.xadd(audio_key(meeting_id), {**fields, **sound}, id=number)
    client.hset(state_key(meeting_id), mapping=record["log"]["state"])
    client.sadd(ACTIVE, meeting_id)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    django.setup()
    from tests.live import REPOSITORY, frames_of, load_pcm

    restore(sys.argv[1], frames_of(load_pcm(REPOSITORY / "tests" / "speech" / recorded()["clip"])))


if __name__ == "__main__":
    main()
