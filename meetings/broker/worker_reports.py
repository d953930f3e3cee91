"""The report that every worker files in the broker: its work since its start, and where its models are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import redis
import redis.asyncio

from meetings.broker.pool_report import PoolReport, pool_report_from
from meetings.version import from_message

REPORT_TTL_S = 10


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker since its start."""

    meetings: int
    """Meetings that it captions now."""
    behind_s: float
    """Seconds of durable audio not captioned yet, of the meeting furthest behind."""
    captioned_s: float
    """Seconds of audio with final captions, silence included."""
    compute_s: float
    """Seconds of model time; divided by `captioned_s` this is the RTF."""
    stage_s: dict[str, float]
    """The same by stage."""
    loop_errors: dict[str, int] = field(default_factory=dict)
    """Errors of supervised loops by `loop kind`, such as `caption failure`."""
    residency: PoolReport | None = None
    """None: a worker of an older version."""


def report_key(worker: str) -> str:
    return f"parlance:report:{worker}"


async def file_report(broker: redis.asyncio.Redis, worker: str, report: WorkerReport) -> None:
    await broker.set(report_key(worker), json.dumps(asdict(report)), ex=REPORT_TTL_S)


def read_reports(broker: redis.Redis) -> dict[str, WorkerReport]:
    """Return the reports of live workers, by worker."""
    found = {}
    for key in sorted(broker.scan_iter(match=report_key("*"))):
        text = broker.get(key)
        report = None if text is None else _report_from(text)
        if report is not None:
            found[key.decode().removeprefix(report_key(""))] = report
    return found


def _report_from(text: bytes | str) -> WorkerReport | None:
    """Parse a report. Return None if it is of a version that this one cannot read."""
    try:
        fields = json.loads(text)
        residency = fields.get("residency")
        return from_message(WorkerReport, {**fields, "residency": pool_report_from(residency) if residency else None})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
