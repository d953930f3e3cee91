"""Error codes of sockets, with the close code and the sentence for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for translation. Django's function reads the settings, which may be what the error is about."""
    return sentence


Code = Literal[
    "bad_token", "no_such_meeting", "another_host", "malformed", "frame_gap", "frame_too_large", "too_fast", "ended",
    "storage_unavailable", "language_unavailable", "unfit_correction",
    "nothing_new", "recording", "too_many_messages", "too_many_connections", "captions_unavailable", "storage_full",
    "internal",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    close_code: int | None
    """None: the socket stays open."""
    sentence: str


SOCKET_ERRORS: dict[Code, ErrorEntry] = {
    "bad_token": ErrorEntry(4401, gettext_noop("This link is not or no longer valid. Ask the host for a new one.")),
    "no_such_meeting": ErrorEntry(4404, gettext_noop("There is no such meeting. It may have been deleted.")),
    "ended": ErrorEntry(4404, gettext_noop("This meeting has ended.")),
    "another_host": ErrorEntry(
        4409, gettext_noop("Another host is live in this meeting. Take over, or close this page.")
    ),
    "malformed": ErrorEntry(4400, gettext_noop("The message could not be understood.")),
    "frame_gap": ErrorEntry(
        4400, gettext_noop("A frame is missing before this one; connect again and continue at next_frame.")
    ),
    "frame_too_large": ErrorEntry(
        4413, gettext_noop("The audio frame is too large: one second (32,000 bytes) at most.")
    ),
    "too_fast": ErrorEntry(4429, gettext_noop("Audio arrives faster than four times real time.")),
    "too_many_messages": ErrorEntry(4429, gettext_noop("Too many messages at once. Wait a minute.")),
    "storage_unavailable": ErrorEntry(
        4503, gettext_noop("The audio cannot be stored just now. It is kept in your browser; trying again.")
    ),
    "storage_full": ErrorEntry(
        4503,
        gettext_noop("The server has no room for more sound just now. It is kept in your browser; trying again."),
    ),
    "captions_unavailable": ErrorEntry(4503, gettext_noop("Captions cannot be read just now; trying again.")),
    "too_many_connections": ErrorEntry(4429, gettext_noop("Too many connections from your address. Wait a minute.")),
    "internal": ErrorEntry(4500, gettext_noop("Something went wrong on the server; trying again.")),
    "language_unavailable": ErrorEntry(
        None, gettext_noop("This language is not offered here; you go on reading what was said.")
    ),
    "unfit_correction": ErrorEntry(None, gettext_noop("The correction was not made.")),
    "recording": ErrorEntry(4404, gettext_noop("This meeting is made from a recording; nobody speaks into it.")),
    "nothing_new": ErrorEntry(None, gettext_noop("There is nothing new to summarise.")),
}


class SocketFault(Exception):
    """An error from the table, with a code and a sentence in the active interface language.

    `detail` describes the error for the client's developer. It must never contain spoken text.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{gettext(SOCKET_ERRORS[code].sentence)} {detail}".strip())
        self.code: Code = code
        self.close_code = SOCKET_ERRORS[code].close_code
