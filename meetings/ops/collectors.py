"""Prometheus collectors for the workers' reports in the broker, and for the broker itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import redis
import redis.asyncio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meetings.broker.audio_log import ACTIVE, audio_key
from meetings.broker.worker_reports import WorkerReport, read_reports


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
        errors = CounterMetricFamily(
            "parlance_worker_loop_errors", "Errors of a worker's loops by kind", labels=["worker", "loop", "kind"]
        )
        for worker, report in reports.items():
            for where, count in report.loop_errors.items():
                errors.add_metric([worker, *where.split(" ", 1)], count)
            meetings.add_metric([worker], report.meetings)
            behind.add_metric([worker], report.behind_s)
            captioned.add_metric([worker], report.captioned_s)
            compute.add_metric([worker], report.compute_s)
            for stage, seconds in {**report.stage_s, "all": report.compute_s}.items():
                rtf.add_metric([worker, stage], seconds / report.captioned_s if report.captioned_s else 0.0)
        yield from (meetings, behind, captioned, compute, rtf, errors)
        yield from residency_metrics(reports)


class BrokerCollector(Collector):
    """Audio stored in the broker, and the broker's memory usage."""

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
    """Yield where the models are, and how long swaps took."""
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
