"""One viewer's socket: what it was sent and has confirmed, and how far ahead of that the server may go.

A server's `send` never waits and never refuses. Therefore the limit is here: the server may have to keep everything
unconfirmed in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from meetings import metrics
from meetings.broker import hints, notices
from meetings.live import wire
from meetings.live.admission import Admission
from meetings.queries import read_rows
from meetings.store import serializers, transcript
from meetings.store.transcript import Change

MAX_UNCONFIRMED = 500
"""Messages a viewer may leave unconfirmed before it is held back (about 250 kB of captions)."""

MAX_UNCONFIRMED_BYTES = 600_000
"""The same in bytes, for long captions: less than `serving.framing.MAX_UNREAD_BYTES`, which ends a socket."""

PARTIAL_SHARE = 0.5
"""Share of both limits at which partials stop, since a viewer that lags needs finals."""

PAGE = 100
"""Stored changes read at a time."""

Send = Callable[[str], Awaitable[None]]

TICK = wire.encode({"type": "tick"})
"""The same text for every socket: the servers frame it once."""


class EncodedChange:
    """A stored change, encoded once per language read here."""

    def __init__(self, row: Change) -> None:
        self.seq = row.seq
        self._row = row
        self._texts: dict[str, str] = {}

    def text(self, language: str) -> str:
        if language not in self._texts:
            self._texts[language] = wire.encode(serializers.change(self._row, language))
        return self._texts[language]


class EncodedBroadcast:
    """A partial or a notice, encoded once per interface language."""

    def __init__(self, message: hints.PartialMessage | notices.Notice) -> None:
        self._message = message
        self._texts: dict[str, str] = {}
        self.state: str | None = message["state"] if message["type"] == "notice" else None
        """What a notice tells; None for a partial."""

    def text(self, interface: str) -> str:
        if interface not in self._texts:
            message = self._message
            told = wire.in_interface(message, interface) if message["type"] == "notice" else message
            self._texts[interface] = wire.encode(told)
        return self._texts[interface]


class Credit:
    """The unconfirmed messages of a viewer, oldest first."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, int]] = deque()
        """`seq` and bytes of each message."""
        self._bytes = 0

    def allows(self, share: float = 1.0) -> bool:
        """Return whether less than `share` of the limits is unconfirmed."""
        return len(self._sent) < MAX_UNCONFIRMED * share and self._bytes < MAX_UNCONFIRMED_BYTES * share

    def spend(self, seq: int, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        self._sent.append((seq, size))
        self._bytes += size

    def confirm(self, seq: int) -> bool:
        """Confirm messages up to `seq`; return whether any were unconfirmed."""
        before = len(self._sent)
        while self._sent and self._sent[0][0] <= seq:
            self._bytes -= self._sent.popleft()[1]
        return len(self._sent) < before

    def rewind(self) -> None:
        """Prepare to send everything again. Earlier messages count until the first new confirmation."""
        self._sent = deque((0, size) for _, size in self._sent)


class Viewer:
    """One socket that reads a meeting."""

    def __init__(
        self,
        meeting_id: str,
        send: Send,
        *,
        after: int,
        language: str = "",
        interface: str = wire.INTERFACE,
        state: str = "",
        spoken: str = "",
        admission: Admission | None = None,
    ) -> None:
        """`language`: of captions; empty for the original. `interface`: language of notices.

        `state` and `spoken`: of the meeting, as the socket was told. `admission`: how it was admitted; None if its
        opener checks that.
        """
        self.state = state
        self.spoken = spoken
        self.admission = admission
        self.meeting_id = meeting_id
        self.language = language
        self.interface = interface
        self.sent_seq = after
        self._highest_seq = after
        """Of all changes ever sent to this socket."""
        self._send = send
        self._credit = Credit()
        self._reading = asyncio.Lock()
        self._live = False
        self._held_back = False
        self._skipped_seq = 0

    @property
    def has_credit(self) -> bool:
        return self._credit.allows()

    async def offer_stored(self, change: EncodedChange) -> None:
        """Send the next stored change, or skip it while the viewer is behind and reads from the database."""
        if change.seq <= self.sent_seq:
            return
        if self._live and self.has_credit:
            await self._deliver(change.seq, change.text(self.language))
            return
        self._skipped_seq = change.seq
        if self._live:
            self._hold_back()

    @property
    def reads_only(self) -> bool:
        """Whether this is no host's socket. A host knows better whether it is there."""
        return self.admission is None or self.admission.role != "host"

    async def offer_passing(self, passing: EncodedBroadcast) -> None:
        """Send a partial or a notice. Drop it for a viewer that lags, since it is worthless later."""
        if self._live and self._credit.allows(PARTIAL_SHARE):
            text = passing.text(self.interface)
            self._credit.spend(self.sent_seq, text)
            self.state = passing.state or self.state
            await self._send(text)

    async def follow_language(self, spoken: str, languages: Sequence[str]) -> None:
        """Tell a reader what is spoken now, if it was told another language."""
        if self.reads_only and self.spoken not in ("", spoken):
            self.spoken = spoken
            await self._send(wire.encode({"type": "languages", "spoken": spoken, "languages": list(languages)}))

    async def tick(self) -> None:
        """Show that the link works. A tick needs no credit: `serving.framing` bounds what nobody reads."""
        await self._send(TICK)

    async def confirm(self, seq: int) -> bool:
        """Confirm everything up to `seq`, and catch up a viewer that was held back.

        Return whether the confirmation was new. A `seq` that was never sent is ignored.
        """
        if seq > self._highest_seq or not self._credit.confirm(seq):
            return False
        if not self._live and self.has_credit:
            await self.catch_up()
        return True

    async def read_in(self, language: str) -> None:
        """Send everything again in another language."""
        async with self._reading:
            self.language = language
            self._credit.rewind()
            self.sent_seq = 0
            self._live = False
            self._held_back = True
        await self.catch_up()

    async def catch_up(self) -> None:
        """Send stored changes as far as credit allows; once all are sent, the viewer is live."""
        async with self._reading:
            if self._held_back:
                self._held_back = False
                await self._send(wire.encode({"type": "resync", "after": self.sent_seq}))
            while self.has_credit:
                rows = await read_rows(transcript.changes_after, self.meeting_id, self.sent_seq, limit=PAGE)
                await self._send_rows(rows)
                # A change stored after this query was skipped: query once more.
                if not rows and self._skipped_seq <= self.sent_seq:
                    self._live = True
                    return

    async def _send_rows(self, rows: Sequence[Change]) -> None:
        for row in rows:
            if not self.has_credit:
                return
            await self._deliver(row.seq, wire.encode(serializers.change(row, self.language)))

    async def _deliver(self, seq: int, text: str) -> None:
        self.sent_seq = seq
        self._highest_seq = max(self._highest_seq, seq)
        self._credit.spend(seq, text)
        await self._send(text)

    def _hold_back(self) -> None:
        self._live = False
        self._held_back = True
        metrics.viewers_held_back.inc()
