"""What Prometheus reads. Never a caption, a name or a token.

The web process counts for itself; workers file a report with the broker, which the web process exports for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import cast

import redis
import redis.asyncio
from prometheus_client import Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meetings.broker.audio_log import ACTIVE, audio_key
from meetings.broker.pool_report import Residency, residency_from
from meetings.version import from_message

viewers = Gauge("parlance_viewers", "Sockets that read captions in this process, hosts included")
viewers_held_back = Counter("parlance_viewers_held_back", "Times a viewer stopped confirming and was held back")
hosts = Gauge("parlance_hosts", "Host sockets in this process")
frames = Counter("parlance_frames", "Audio frames by what the log did with them", ["outcome"])
errors = Counter("parlance_errors", "Errors told to a person or a program, by code", ["code"])
loop_errors = Counter(
    "parlance_loop_errors", "Errors of supervised loops: database or broker away, or a failure", ["loop", "kind"]
)

REPORT_TTL_S = 10


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker since its start."""

    meetings: int
    """Meetings it captions now."""
    behind_s: float
    """Durable audio that is not captioned yet, the worst meeting."""
    captioned_s: float
    """Seconds of audio captioned for good, silence included."""
    compute_s: float
    """Seconds the models worked; divided by `captioned_s`: RTF."""
    stage_s: dict[str, float]
    """The same by stage."""
    residency: Residency | None = None
    """None: a worker of an older version."""


def report_key(worker: str) -> str:
    return f"parlance:report:{worker}"


async def file_report(broker: redis.asyncio.Redis, worker: str, report: WorkerReport) -> None:
    await broker.set(report_key(worker), json.dumps(asdict(report)), ex=REPORT_TTL_S)


class WorkersCollector(Collector):
    """The workers' reports as Prometheus metrics, labelled by worker."""

    def __init__(self, broker: redis.Redis) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        reports = read_reports(self._broker)
        meetings = GaugeMetricFamily("parlance_meetings_leased", "Meetings that a worker captions", labels=["worker"])
        behind = GaugeMetricFamily(
            "parlance_behind_seconds", "Audio not captioned yet, worst meeting", labels=["worker"]
        )
        captioned = CounterMetricFamily("parlance_captioned_seconds", "Audio captioned for good", labels=["worker"])
        compute = CounterMetricFamily("parlance_compute_seconds", "Time the models worked", labels=["worker"])
        rtf = GaugeMetricFamily(
            "parlance_rtf", "Compute seconds per captioned second by stage", labels=["worker", "stage"]
        )
        for worker, report in reports.items():
            meetings.add_metric([worker], report.meetings)
            behind.add_metric([worker], report.behind_s)
            captioned.add_metric([worker], report.captioned_s)
            compute.add_metric([worker], report.compute_s)
            for stage, seconds in {**report.stage_s, "all": report.compute_s}.items():
                rtf.add_metric([worker, stage], seconds / report.captioned_s if report.captioned_s else 0.0)
        yield from (meetings, behind, captioned, compute, rtf)
        yield from residency_metrics(reports)


class BrokerCollector(Collector):
    """How much sound waits in the broker, and how full that is."""

    def __init__(self, broker: redis.Redis) -> None:
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        memory = self._broker.info("memory")
        with self._broker.pipeline(transaction=False) as asked:
            for meeting_id in cast("set[bytes]", self._broker.smembers(ACTIVE)):
                asked.memory_usage(audio_key(meeting_id.decode()))
            logs = sum(size or 0 for size in asked.execute())
        yield GaugeMetricFamily("parlance_audio_log_bytes", "Sound in the logs of all meetings", value=logs)
        yield GaugeMetricFamily("parlance_broker_bytes", "Memory that the broker uses", value=memory["used_memory"])
        yield GaugeMetricFamily(
            "parlance_broker_limit_bytes", "At which it takes no more sound; 0: none", value=memory["maxmemory"]
        )


def residency_metrics(reports: dict[str, WorkerReport]) -> Iterator[Metric]:
    """Where the models are, and what moving them took."""
    size = GaugeMetricFamily(
        "parlance_model_bytes", "What a model needs on the device, by where it is", labels=["worker", "model", "where"]
    )
    budget = GaugeMetricFamily(
        "parlance_device_budget_bytes", "What the models may use of the device", labels=["worker", "device"]
    )
    swap = GaugeMetricFamily(
        "parlance_swap_seconds", "The newest swap of its kind", labels=["worker", "direction", "outcome"]
    )
    for worker, report in reports.items():
        if report.residency is None:
            continue
        budget.add_metric([worker, report.residency.device], report.residency.budget)
        for model in report.residency.models:
            size.add_metric([worker, model.label, model.where], model.size)
        for newest in report.residency.swaps:
            swap.add_metric([worker, newest.direction, newest.outcome], newest.seconds)
    yield from (size, budget, swap)


def read_reports(broker: redis.Redis) -> dict[str, WorkerReport]:
    """What the living workers filed, by worker."""
    found = {}
    for key in sorted(broker.scan_iter(match=report_key("*"))):
        text = broker.get(key)
        report = None if text is None else _report_from(text)
        if report is not None:
            found[key.decode().removeprefix(report_key(""))] = report
    return found


def _report_from(text: bytes | str) -> WorkerReport | None:
    """None: of another version, and not to be read by this one."""
    try:
        fields = json.loads(text)
        residency = fields.get("residency")
        return from_message(WorkerReport, {**fields, "residency": residency_from(residency) if residency else None})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
