"""Erase what a deleted meeting left outside the database, until all of it is gone.

The deleting request erases most of it at once. This job erases transcript files, what failed at that time, and what was
written by a process that did not know of the deletion yet.
"""

from __future__ import annotations

import asyncio
from functools import partial

from meetings import supervise
from meetings.export import results
from meetings.models import Tombstone
from meetings.store import deletion, erasure, tombstones
from meetings.threads import DaemonThreads
from meetings.worker.results import log_failure

TOMBSTONES_PER_TURN = 20
"""Deleted meetings per turn."""


class ErasureJob:
    """Erase deleted meetings. Of several workers, the one that claims a tombstone handles it."""

    def __init__(self) -> None:
        self._threads = DaemonThreads("erasing")

    async def turn(self) -> None:
        """Handle the tombstones that are due."""
        leaving: list[str] = []
        for tombstone in await self._threads.query(partial(tombstones.due, limit=TOMBSTONES_PER_TURN)):
            if await self._threads.query(partial(tombstones.claim, tombstone)) and await self._clear(tombstone):
                leaving.append(tombstone.pk)
        if not leaving:
            await self._threads.query(erasure.go_on)
        elif await self._threads.query(erasure.erase):
            await self._threads.query(partial(tombstones.traces_are_erased, leaving))

    async def _clear(self, tombstone: Tombstone) -> bool:
        """Return whether the meeting has left traces that are not erased yet."""
        sound = self._threads.query(partial(deletion.forget, tombstone.pk))
        files = self._threads.query(partial(delete_results, tombstone))
        outcomes = await asyncio.gather(sound, files, return_exceptions=True)
        for error in outcomes:
            if isinstance(error, BaseException):
                pause = await supervise.retry(lambda: self._threads.query(partial(tombstones.defer, tombstone)))
                log_failure("deletion_unfinished", tombstone.pk, error, again_in_s=pause.total_seconds())
                return False
        await supervise.retry(lambda: self._threads.query(partial(tombstones.record_outcome, tombstone)))
        return bool(outcomes[0]) or not tombstone.are_traces_erased


def delete_results(tombstone: Tombstone) -> None:
    """Delete the transcript files, if there can be any. Raises storage errors."""
    if tombstone.has_results:
        results.delete(tombstone.pk, results.results_storage())
