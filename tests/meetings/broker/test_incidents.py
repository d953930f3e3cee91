"""What a worker warns of reaches its operators as sentences, and nothing that was said does."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from typing import Any

import pytest
import redis
import redis.asyncio
import structlog
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from meetings.broker import incidents
from meetings.broker.incidents import (
    DETAILED,
    ENDED,
    INCIDENT_SENTENCES,
    MAX_INCIDENTS,
    PROCESS_DIED,
    Incident,
    IncidentFile,
    IncidentKeeper,
    file_incident,
    read_incidents,
)
from meetings.supervisor import Child

log = structlog.get_logger("meetings.test_incidents")
SAID = "the merger is off"


def record(message: object, level: int = logging.WARNING, **fields: Any) -> logging.LogRecord:
    return logging.LogRecord("meetings.worker.worker", level, __file__, 1, message, (), None)


def kept(*records: logging.LogRecord) -> list[Incident]:
    keeper = IncidentKeeper("w1")
    for one in records:
        keeper.handle(one)
    return keeper.take()


def test_a_warning_is_kept_by_its_name() -> None:
    [incident] = kept(record({"event": "summary_put_off", "error": SAID, "meeting": "m1"}))
    assert (incident.worker, incident.event, incident.detail, incident.times) == ("w1", "summary_put_off", "", 1)
    assert incident.sentence == "A summary failed and was put off; captions went on."


def test_what_a_model_lacks_is_told_in_one_bounded_line() -> None:
    long = "x" * 400
    first, second = kept(
        record({"event": "summaries_unavailable", "error": "qwen is missing; fetch it\nTraceback"}),
        record({"event": "speakers_unavailable", "error": long}),
    )
    assert first.detail == "qwen is missing; fetch it"
    assert second.detail == "x" * 300 + "…"


@given(
    event=st.sampled_from(sorted(set(INCIDENT_SENTENCES) - DETAILED))
    | st.text(min_size=1).filter(lambda it: it not in DETAILED)
)
def test_no_other_error_says_anything_itself(event: str) -> None:
    [incident] = kept(record({"event": event, "error": SAID, "text": SAID, "token": SAID}, logging.ERROR))
    assert SAID not in json.dumps([incident.detail, incident.sentence])


def test_of_libraries_only_that_there_was_an_error() -> None:
    [incident] = kept(record(f"could not send {SAID}", logging.ERROR), record(f"slow: {SAID}"))
    assert (incident.sentence, incident.detail) == ("A library reported an error; the log has it.", "")


def test_the_same_thing_again_only_counts() -> None:
    again = {"event": "broker_unreachable", "step": "_read"}
    other = {"event": "database_refuses"}
    found = kept(record(again), record(again), record(other), record(again))
    assert [(one.event, one.times) for one in found] == [
        ("broker_unreachable", 2),
        ("database_refuses", 1),
        ("broker_unreachable", 1),
    ]


def test_the_sentence_is_in_the_operators_language() -> None:
    with translation.override("pt"):
        assert Incident(0.0, "w1", "translation_unavailable").sentence == "Não há modelos que traduzam."


async def test_a_worker_files_what_it_warns_of_and_how_it_ended(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis
) -> None:
    async def work() -> None:
        async with IncidentFile(broker, "w1"):
            log.info("worker_ready")
            log.warning("summary_put_off", error=SAID)
            raise MemoryError(SAID)

    with pytest.raises(MemoryError):
        await work()
    found = read_incidents(broker_sync)
    assert [(one.worker, one.event, one.detail) for one in found] == [
        ("w1", ENDED, "MemoryError"),
        ("w1", "summary_put_off", ""),
    ]
    assert 0 < broker_sync.ttl(incidents.INCIDENTS) <= incidents.INCIDENT_TTL_S


async def test_a_worker_that_ends_well_says_nothing(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    async with IncidentFile(broker, "w1"):
        log.info("worker_ready")
    assert read_incidents(broker_sync) == []


async def test_the_newest_are_kept(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    for worker in ("w1", "w2"):
        async with IncidentFile(broker, worker):
            for number in range(MAX_INCIDENTS - 10):
                log.warning(f"event_{number}")
    found = read_incidents(broker_sync)
    assert [len([one for one in found if one.worker == worker]) for worker in ("w1", "w2")] == [10, MAX_INCIDENTS - 10]
    assert found[0].event == f"event_{MAX_INCIDENTS - 11}"


def test_a_supervisor_tells_of_a_worker_that_died(broker_sync: redis.Redis) -> None:
    reasons: list[str] = []
    child = Child("inference", [], on_death=reasons.append)
    child.process = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    child.process.wait(20)
    child.mind(time.monotonic())
    assert reasons == ["signal SIGKILL"]
    file_incident(broker_sync, "inference", PROCESS_DIED, reasons[0])
    [found] = read_incidents(broker_sync)
    assert (found.worker, found.event, found.detail) == ("inference", PROCESS_DIED, "signal SIGKILL")


def test_a_supervisor_without_a_broker_goes_on() -> None:
    file_incident(
        redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1), "inference", PROCESS_DIED, "exit code 1"
    )


async def test_a_broker_that_is_away_gets_them_later(
    broker: redis.asyncio.Redis, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    filing = IncidentFile(broker, "w1")
    filing._keeper.note("summary_put_off", "", at=1.0)
    away = redis.asyncio.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1)
    filing._broker = away
    await filing._file()
    filing._broker = broker
    await filing._file()
    assert [one.event for one in read_incidents(broker_sync)] == ["summary_put_off"]
    await away.aclose()
