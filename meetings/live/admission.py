"""How a socket was admitted. Checked when the socket opens and again while it is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from meetings.accounts.link_tokens import Role
from meetings.accounts.page_tokens import admits
from meetings.live.errors import Code
from meetings.models import Meeting
from meetings.queries import read_rows


@dataclass(frozen=True, slots=True)
class Admission:
    """The role and token of one socket."""

    role: Role
    token: str
    dismiss: Callable[[Code], Awaitable[None]]
    """Sends the reason, and closes the socket."""


async def dismiss_uninvited(meeting: Meeting | None, admissions: list[Admission]) -> None:
    """Close the sockets whose link, pass or meeting is gone. Each token is checked once."""
    holds: dict[tuple[Role, str], bool] = {}
    for admission in admissions:
        key = (admission.role, admission.token)
        if meeting is not None and key not in holds:
            holds[key] = await read_rows(admits, meeting, *key)
        if not holds.get(key):
            await admission.dismiss("no_such_meeting" if meeting is None else "bad_token")
