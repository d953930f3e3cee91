"""`python -m tests.stored_server FOLDER PORT`: a broker and a web process over one stored meeting, without models.

Prints the meeting's id and tokens as one line of JSON when pages are there, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.answering import wait_for_answer
from tests.live import REPOSITORY, MeetingLinks, free_port
from tests.once_a_run import migrated_database


@contextmanager
def stored_server(data: Path) -> Iterator[MeetingLinks]:
    """The meeting of `tests.meetings.weekly` and two paragraphs, over, summed up and with its recording, in `data`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.stored_server", str(data), str(port)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            yield MeetingLinks(said["id"], said["host"], said["join"], port)
        finally:
            process.stdin.close()
            process.wait(30)


def main(data: str, port: str) -> None:
    os.environ |= {"PARLANCE_DATA": data, "DJANGO_SETTINGS_MODULE": "meetings.settings"}
    import django

    django.setup()
    from django.conf import settings

    from meetings.broker.embedded import EmbeddedBroker

    shutil.copy(migrated_database(), data)
    links = _store()
    broker = EmbeddedBroker(settings.ENVIRONMENT.data / "broker", settings.ENVIRONMENT.broker_socket)
    broker.start()
    web = subprocess.Popen([sys.executable, "manage.py", "web", "--port", port], stdout=subprocess.DEVNULL)
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/healthz", web)
        print(json.dumps(links), flush=True)
        sys.stdin.read()
    finally:
        web.terminate()
        web.wait()
        broker.stop()


def _store() -> dict[str, str]:
    """The rows and the sound; says how the meeting is reached."""
    from meetings.accounts.link_tokens import meeting_token
    from meetings.models import Caption, Meeting, State, Summary
    from meetings.store import recordings
    from meetings.web import sample
    from tests.meetings.weekly import weekly_meeting

    meeting = weekly_meeting()
    segment = meeting.captions.get(text="now").segment
    more = ((9.5, "then", ""), (14.0, "alpha.", "S2"), (15.0, "beta.", "S2"))
    for seq, (start, text, speaker) in enumerate(more, start=6):
        place = f"{start:06}"
        caption = Caption(meeting=meeting, segment=place, utterance=place, seq=seq, start=start, end=start + 0.5)
        caption.text, caption.language, caption.speaker = text, "en", speaker
        caption.save()
    items = [{"kind": "action", "text": "Do it now.", "owner": "S1", "segments": [segment]}]
    Summary.objects.create(meeting=meeting, seq=13, from_s=0, to_s=9, language="en", items=items)
    Meeting.objects.filter(pk=meeting.pk).update(state=State.ENDED, last_seq=13)
    recordings.flac_path(meeting.pk).parent.mkdir(parents=True)
    shutil.copy(sample.CLIP, recordings.flac_path(meeting.pk))
    return {"id": meeting.pk, "host": meeting_token(meeting, "host"), "join": meeting_token(meeting, "join")}


if __name__ == "__main__":
    main(*sys.argv[1:])
