"""Many meetings as one streamed ZIP file: a folder for each, with its transcript in every format and language.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; streaming requires the sizes to follow the data.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from channels.db import database_sync_to_async
from django.utils import translation
from django.utils.text import slugify

from meetings.export.formats import FORMATS, ONE_LANGUAGE, render_transcript
from meetings.models import Meeting
from meetings.store import recordings
from meetings.store.requeue import languages_of

MAX_ENTRY_NAME = 60
ZIP_CHUNK = 1 << 18
"""Bytes of a recording that are read at once."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time in the format; files are dated by their meeting."""


class Outbox(io.RawIOBase):
    """Write-only buffer for the ZIP writer, which cannot seek; each byte is taken once."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


async def stream_zip(meeting_ids: Sequence[str], interface: str) -> AsyncIterator[bytes]:
    """Yield the file in pieces; `interface`: language of headings."""
    pieces = zip_pieces(meeting_ids, interface)
    step = database_sync_to_async(lambda: next(pieces, None))
    while (piece := await step()) is not None:
        yield piece


def zip_pieces(meeting_ids: Sequence[str], interface: str) -> Iterator[bytes]:
    """Do the same in a plain thread. Meetings deleted in the meantime are left out."""
    outbox = Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_DEFLATED) as archive:
        for meeting_id in meeting_ids:
            meeting = Meeting.objects.filter(pk=meeting_id).first()
            if meeting is None:
                continue
            for name, content in _transcripts(meeting, interface):
                archive.writestr(_entry(meeting, name), content)
                yield outbox.take()
            for _ in _recording(meeting, archive):
                yield outbox.take()
    yield outbox.take()


def folder_name(meeting: Meeting) -> str:
    """Return letters, digits and hyphens for any title; the id separates meetings with the same title."""
    slug = slugify(meeting.title)[:MAX_ENTRY_NAME].strip("-_")
    return f"{slug or 'meeting'}-{meeting.pk}"


def _transcripts(meeting: Meeting, interface: str) -> Iterator[tuple[str, bytes]]:
    """Yield the transcript as spoken, then in each language that something is translated into."""
    for language in (None, *languages_of(meeting)):
        for format_name in FORMATS if language is None else sorted(ONE_LANGUAGE):
            with translation.override(interface):
                content = render_transcript(meeting, format_name, language).content
            yield ".".join(filter(None, ("transcript", language, format_name))), content


def _recording(meeting: Meeting, archive: zipfile.ZipFile) -> Iterator[int]:
    """Write the recording in steps, if there is one; uncompressed, because FLAC is compressed already."""
    path = recordings.flac_path(meeting.pk)
    if not path.exists():
        return
    entry = _entry(meeting, "recording.flac")
    entry.compress_type = zipfile.ZIP_STORED
    with path.open("rb") as sound, archive.open(entry, "w", force_zip64=True) as target:
        while chunk := sound.read(ZIP_CHUNK):
            yield target.write(chunk)


def _entry(meeting: Meeting, name: str) -> zipfile.ZipInfo:
    when = meeting.created_at.timetuple()[:6]
    entry = zipfile.ZipInfo(f"{folder_name(meeting)}/{name}", max(when, EPOCH))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
