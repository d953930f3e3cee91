"""Recent incidents of workers, as sentences for operators. They never hold a caption, a name or a token.

A worker's warnings and errors are stored by event name. Error texts are stored only for models that cannot be loaded or
moved: they hold files, bytes and devices, and nothing that was spoken.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import redis
import redis.asyncio
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from meetings import supervise
from meetings.version import from_message

INCIDENTS = "parlance:incidents"
"""List in the broker, the newest first."""

FILE_S = 1.0
MAX_INCIDENTS = 100
"""Of all workers together."""

INCIDENT_TTL_S = 86_400
DETAIL_CHARACTERS = 300
BROKER_DIED = "broker_died"
BROKER_SILENT = "broker_silent"
PROCESS_DIED = "process_died"
ENDED = "worker_ended"
ELSEWHERE = "error_elsewhere"
"""A library's error: its text may hold anything."""

INCIDENT_SENTENCES = {
    "audio_log_left": gettext_lazy("The audio of a deleted meeting could not be removed from the broker."),
    "audio_log_cut": gettext_lazy("The broker came back without some of the sound it had; the host sends it again."),
    "broker_not_notified": gettext_lazy("The broker did not answer: screens showed a change some seconds later."),
    "bridge_unavailable": gettext_lazy("There is no model for provisional captions during summaries."),
    "broker_away": gettext_lazy("The broker did not answer; it was tried again."),
    "broker_unreachable": gettext_lazy("The broker did not answer; it was tried again."),
    "database_away": gettext_lazy("The database did not answer; it was tried again."),
    "deletion_unfinished": gettext_lazy("Something of a deleted meeting could not be removed; it will be tried again."),
    "database_refuses": gettext_lazy("The database refused a change; it was tried again."),
    "leases_left_to_expire": gettext_lazy("The broker did not answer at the worker's end; its meetings waited."),
    "checkpoint_ignored": gettext_lazy("A meeting of another version continued from its last stored caption."),
    "meeting_ended_a_worker": gettext_lazy("A worker died at work on one meeting."),
    "meeting_ends_without": gettext_lazy("A meeting ended without names or translations: their model fails."),
    "meeting_failed": gettext_lazy("The work on one meeting failed; it is tried three times, then set aside."),
    "meeting_not_opened": gettext_lazy("One meeting could not be opened; it is tried three times, then set aside."),
    "models_do_not_sleep": gettext_lazy("Models could not be put to sleep; captions went on."),
    "purge_failed": gettext_lazy("A meeting that is older than it may be could not be deleted."),
    "recording_not_written": gettext_lazy("The disk of the recordings is not writable; the sound waits in the broker."),
    "results_not_stored": gettext_lazy("A transcript could not be stored; it will be tried again."),
    "step_failed": gettext_lazy("A step of the worker failed; it was tried again. The log says where."),
    "speakers_unavailable": gettext_lazy("There are no models that tell speakers apart: nobody is named."),
    "summaries_unavailable": gettext_lazy("There is no model that writes summaries, or no room for it."),
    "summariser_not_prepared": gettext_lazy("The summariser could not be loaded beside the captions."),
    "summary_put_off": gettext_lazy("A summary failed and was put off; captions went on."),
    "text_not_translated": gettext_lazy("A line could not be translated; it stands as it was said."),
    "translation_unavailable": gettext_lazy("There are no models that translate."),
    "upload_given_up": gettext_lazy("A recording could not be captioned to its end."),
    "upload_unreadable": gettext_lazy("A recording could not be read to its end."),
    "webhook_failed": gettext_lazy("A webhook failed by an error of the server's own; the log has it."),
    "webhook_given_up": gettext_lazy("A webhook's address took a message at none of eight attempts; it was given up."),
    "webhooks_left_out": gettext_lazy("So many webhooks of one host waited that new messages were left out."),
    "window_not_heard": gettext_lazy("Some seconds of sound could not be listened to: nobody is named there."),
    "worker_not_woken": gettext_lazy("The broker did not answer: a correction was translated later."),
    BROKER_DIED: gettext_lazy("The broker's process died and was started again; hosts kept the audio meanwhile."),
    BROKER_SILENT: gettext_lazy("The broker did not answer for a while; hosts kept the audio meanwhile."),
    PROCESS_DIED: gettext_lazy("The worker's process died or hung; another one was started."),
    ENDED: gettext_lazy("The worker ended with an error; its meetings went to another one."),
    ELSEWHERE: gettext_lazy("A library reported an error; the log has it."),
}
UNNAMED = gettext_lazy("Something went wrong; the log says what.")
DETAILED = frozenset(
    {
        "bridge_unavailable",
        "models_do_not_sleep",
        "speakers_unavailable",
        "summaries_unavailable",
        "summariser_not_prepared",
        "translation_unavailable",
        PROCESS_DIED,
        ENDED,
    }
)
"""Events whose errors are about models and processes."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One kind of problem at one time."""

    at: float
    """Unix time."""
    worker: str
    event: str
    """Its name in the log."""
    detail: str = ""
    times: int = 1

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    @property
    def sentence(self) -> str:
        """The description in the language of the request."""
        return str(INCIDENT_SENTENCES.get(self.event, UNNAMED))


class IncidentKeeper(logging.Handler):
    """Collect a worker's warnings until they are filed. Any thread may log."""

    def __init__(self, worker: str) -> None:
        super().__init__(logging.WARNING)
        self._worker = worker
        self._guard = threading.Lock()
        self._kept: deque[Incident] = deque(maxlen=MAX_INCIDENTS)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record of ours, which is a dictionary with an event; of other records only errors."""
        if isinstance(record.msg, dict) and "event" in record.msg:
            self.note(str(record.msg["event"]), str(record.msg.get("error", "")), at=record.created)
        elif record.levelno >= logging.ERROR:
            self.note(ELSEWHERE, "", at=record.created)

    def note(self, event: str, detail: str, *, at: float) -> None:
        """Collect an incident. A direct repetition only increments its count."""
        kept = _one_line(detail) if event in DETAILED else ""
        with self._guard:
            last = self._kept[-1] if self._kept else None
            if last is not None and (last.event, last.detail) == (event, kept):
                self._kept[-1] = replace(last, at=at, times=last.times + 1)
            else:
                self._kept.append(Incident(at, self._worker, event, kept))

    def take(self) -> list[Incident]:
        """Return the incidents since the last call, oldest first."""
        with self._guard:
            taken = list(self._kept)
            self._kept.clear()
        return taken

    def put_back(self, incidents: list[Incident]) -> None:
        """Put back incidents that could not be filed."""
        with self._guard:
            self._kept.extendleft(reversed(incidents[: MAX_INCIDENTS - len(self._kept)]))


class IncidentFile:
    """Context manager around a worker's run: file its warnings, and how it ended."""

    def __init__(self, broker: redis.asyncio.Redis, worker: str) -> None:
        self._broker = broker
        self._keeper = IncidentKeeper(worker)

    async def __aenter__(self) -> Self:
        logging.getLogger().addHandler(self._keeper)
        self._filing = supervise.start("incidents", self._file, pause_s=FILE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self._keeper)
        self._filing.cancel()
        if kind is not None:
            self._keeper.note(ENDED, kind.__name__, at=datetime.now(UTC).timestamp())
        await self._file()

    async def _file(self) -> None:
        """File the collected incidents. While the broker is away they are kept for the next attempt."""
        incidents = self._keeper.take()
        if not incidents:
            return
        try:
            async with self._broker.pipeline() as pipeline:
                _push(pipeline, incidents)
                await pipeline.execute()
        except (RedisError, OSError):
            self._keeper.put_back(incidents)


def file_incident(broker: redis.Redis, worker: str, event: str, detail: str) -> None:
    """File an incident on behalf of a dead process. If the broker is away, only the log has it."""
    incident = Incident(datetime.now(UTC).timestamp(), worker, event, _one_line(detail))
    try:
        with broker.pipeline() as pipeline:
            _push(pipeline, [incident])
            pipeline.execute()
    except (RedisError, OSError):
        return


def _push(pipeline: redis.client.Pipeline | redis.asyncio.client.Pipeline, incidents: Sequence[Incident]) -> None:
    pipeline.lpush(INCIDENTS, *(json.dumps(asdict(incident)) for incident in incidents))
    pipeline.ltrim(INCIDENTS, 0, MAX_INCIDENTS - 1)
    pipeline.expire(INCIDENTS, INCIDENT_TTL_S)


def read_incidents(broker: redis.Redis) -> list[Incident]:
    """Return the latest incidents of all workers, past ones included; the newest first."""
    return [from_message(Incident, json.loads(text)) for text in broker.lrange(INCIDENTS, 0, MAX_INCIDENTS - 1)]


def _one_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= DETAIL_CHARACTERS else f"{line[:DETAIL_CHARACTERS]}…"
