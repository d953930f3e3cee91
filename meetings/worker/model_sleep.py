"""Put the models to sleep while no captions are needed, and wake them, under the watchdog."""

from __future__ import annotations

from inference.models.residency.pool import ModelPool, PoolState
from meetings.device import watchdog


def sleep(pool: ModelPool) -> None:
    """Move the models off the device. Raises what `ModelPool.sleep` raises."""
    with watchdog.moving():
        pool.sleep()


def wake(pool: ModelPool) -> None:
    """Move the models back. Does nothing unless they sleep."""
    if pool.state is PoolState.ASLEEP:
        with watchdog.moving():
            pool.wake()
