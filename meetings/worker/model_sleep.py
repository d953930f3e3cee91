"""Models that sleep while nobody needs captions: there and back under the watchdog's eye."""

from __future__ import annotations

from inference.models.residency.pool import ModelPool, State
from meetings.device import watchdog


def sleep(pool: ModelPool) -> None:
    """See `ModelPool.sleep`."""
    with watchdog.moving():
        pool.sleep()


def wake(pool: ModelPool) -> None:
    """See `ModelPool.wake`; costs nothing where the models do not sleep."""
    if pool.state is State.ASLEEP:
        with watchdog.moving():
            pool.wake()
