"""Record what a version of the product leaves in the middle of a meeting: rows, the audio log, messages of the broker.

    git worktree add /tmp/older db43a70
    cd /tmp/older
    PYTHONPATH=. .venv/bin/python <here>/tests/faults/record_version.py <here>/tests/faults/db43a70.json

It runs with the code of the folder that it is started in. The meeting is played until its last sentence but one begins;
then its worker and the web process are killed. The sound is left out of the log: it is that of the clip's frames.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import redis.asyncio

from tests.live import REPOSITORY, RunningParlance, frames_of, load_pcm, running_parlance
from tests.staged import StagedMeeting, play_whole, until

CLIP = "lobster_24s.flac"
MODEL = "whisper-base"
MEETING = ("state", "last_seq", "cursor", "checkpoint", "lease_epoch", "started_at")
CAPTION = ("segment", "utterance", "speaker", "seq", "revision", "start", "end", "language", "text", "words")


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = REPOSITORY / "var" / "models"
        found = next(path for path in models.iterdir() if path.name.startswith(MODEL))
        (Path(folder) / found.name).symlink_to(found)
        with running_parlance(environment={"PARLANCE_MODELS_DIR": folder}) as parlance:
            recorded = asyncio.run(record(parlance))
    out.write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


async def record(parlance: RunningParlance) -> dict[str, Any]:
    frames = frames_of(load_pcm(REPOSITORY / "tests" / "speech" / CLIP))
    whole = await play_whole(parlance, frames)
    broker = redis.asyncio.Redis(unix_socket_path=str(parlance.data / "valkey.sock"), socket_timeout=None)
    meeting = StagedMeeting(parlance, frames)
    messages: list[str] = []
    listening = asyncio.create_task(listen(broker, meeting.links.id, messages))
    await meeting.play_until(whole[-2])
    await until(lambda: len(meeting.reader.captions) == len(whole) - 2)
    await broker.publish(f"parlance:{{{meeting.links.id}}}:events", b'["recheck"]')
    await until(lambda: '["recheck"]' in messages)
    for name in ("inference", "web"):
        parlance.process(name).kill()
    listening.cancel()
    entries = await broker.xrange(f"parlance:{{{meeting.links.id}}}:audio")
    state = await broker.hgetall(f"parlance:{{{meeting.links.id}}}:log")
    return {
        "commit": commit(),
        "clip": CLIP,
        "meeting": rows(parlance, "meeting", MEETING, "id", meeting.links.id)[0],
        "captions": rows(parlance, "caption", CAPTION, "meeting_id", meeting.links.id),
        "log": {
            "state": {name.decode(): value.decode() for name, value in state.items()},
            "entries": [[number.decode(), without_sound(fields)] for number, fields in entries],
        },
        "messages": messages,
    }


async def listen(broker: redis.asyncio.Redis, meeting_id: str, messages: list[str]) -> None:
    async with broker.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(f"parlance:{{{meeting_id}}}:events")
        async for message in subscription.listen():
            messages.append(message["data"].decode())


def without_sound(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items() if name != b"p"}


def rows(parlance: RunningParlance, table: str, columns: tuple[str, ...], key: str, value: str) -> list[dict[str, Any]]:
    address = f"file:{parlance.data / 'parlance.sqlite3'}?mode=ro"
    names = ", ".join(f'"{column}"' for column in columns)
    with closing(sqlite3.connect(address, uri=True)) as database:
        found = database.execute(f"SELECT {names} FROM meetings_{table} WHERE {key} = ? ORDER BY id", [value])  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in found]


def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
