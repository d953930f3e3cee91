from __future__ import annotations

import redis
import redis.asyncio
from django.test import Client
from prometheus_client.registry import CollectorRegistry

from meetings.broker.audio_log import AudioLog
from meetings.ops.metrics import BrokerCollector

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
