from __future__ import annotations

import redis
import redis.asyncio
from django.test import Client
from prometheus_client.registry import CollectorRegistry

from meetings import metrics
from meetings.broker.audio_log import AudioLog
from meetings.broker.worker_reports import WorkerReport, file_report
from meetings.ops.collectors import BrokerCollector, WorkersCollector

PCM = b"\x01\x00" * 16_000


def measured(broker: redis.Redis, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(BrokerCollector(broker))
    value = registry.get_sample_value(name)
    assert value is not None
    return value


async def test_sound_that_waits_is_counted(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    assert measured(broker_sync, "parlance_audio_log_bytes") == 0
    log = AudioLog(broker)
    for meeting in ("a", "b"):
        await log.claim(meeting, "page", takeover=False, cursor=0)
        for frame in range(10):
            await log.append(meeting, "page", frame, PCM)
    assert 640_000 < measured(broker_sync, "parlance_audio_log_bytes") < 960_000
    assert measured(broker_sync, "parlance_broker_bytes") > 640_000
    await log.forget("a")
    assert 320_000 < measured(broker_sync, "parlance_audio_log_bytes") < 480_000


def test_its_bound_is_told(broker_sync: redis.Redis, client: Client) -> None:
    assert measured(broker_sync, "parlance_broker_limit_bytes") >= 256_000_000
    assert "parlance_broker_limit_bytes" in client.get("/metrics").content.decode()


async def test_errors_of_a_workers_loops_are_exported(broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
    """Prometheus does not reach workers: they report to the broker what they count."""
    before = metrics.loop_error_counts().get("caption failure", 0)
    metrics.loop_errors.labels("caption", "failure").inc()
    counts = metrics.loop_error_counts()
    assert counts["caption failure"] == before + 1
    report = WorkerReport(0, 0.0, 0.0, 0.0, {}, loop_errors={"caption failure": 3, "read broker": 2})
    await file_report(broker, "first", report)
    registry = CollectorRegistry()
    registry.register(WorkersCollector(broker_sync))
    found = [
        registry.get_sample_value("parlance_worker_loop_errors_total", {"worker": "first", "loop": loop, "kind": kind})
        for loop, kind in (("caption", "failure"), ("read", "broker"))
    ]
    assert found == [3, 2]
