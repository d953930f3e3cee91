"""What an operator tells a worker to do now, and its answer: through the broker, and void when nobody takes it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

import redis
import redis.asyncio

ANSWER_S = 15.0
"""How long an operator waits: models come back within seconds."""

COMMAND_POLL_S = 1.0
COMMAND_TTL_S = 60
"""After which the broker forgets an order or an answer that nobody takes."""


class Command(StrEnum):
    """What can be told to a worker."""

    RESTORE = "restore"
    """Captions now: a summary that is on its way is broken off and put off, models that sleep wake up."""
    SLEEP = "sleep"
    """Models leave the device of a worker that nobody speaks to; the first sound wakes them."""


class CommandResult(StrEnum):
    """What came of it."""

    RESTORED = "restored"
    CAPTIONING = "captioning"
    """There was nothing to restore."""
    ASLEEP = "asleep"
    IN_USE = "in_use"
    """Not put to sleep: somebody is being captioned."""
    BUSY = "busy"
    """Not put to sleep: models are being moved, or a summary is written."""
    UNDER_WAY = "under_way"
    """The worker is at it; a summariser looks up after each of its steps."""
    FAILED = "failed"
    """A model would not go; captions are back, and the log says why."""


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """An order on its way."""

    number: str
    order: Command

    def packed(self) -> str:
        return json.dumps([self.number, self.order])


def send(broker: redis.Redis, worker: str, order: Command, *, within_s: float = ANSWER_S) -> CommandResult | None:
    """Tells a worker, and waits for its answer. None: it did not take the order in time, which is void then.

    Raises what an unreachable broker raises.
    """
    told = PendingCommand(secrets.token_hex(8), order)
    broker.rpush(_orders_key(worker), told.packed())
    broker.expire(_orders_key(worker), COMMAND_TTL_S)
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = broker.blpop([_answer_key(told.number)], timeout=min(COMMAND_POLL_S, within_s))
        if found is not None:
            return CommandResult(_text(found[1]))
    was_left = broker.lrem(_orders_key(worker), 1, told.packed())
    return None if was_left else CommandResult.UNDER_WAY


async def receive(broker: redis.asyncio.Redis, worker: str, *, wait_s: float = COMMAND_POLL_S) -> PendingCommand | None:
    """The next order to `worker`; None: there was none within `wait_s` seconds."""
    found = await broker.blpop([_orders_key(worker)], timeout=wait_s)
    if found is None:
        return None
    number, order, *_ = json.loads(found[1])
    return (
        PendingCommand(number, Command(order)) if order in set(Command) else None
    )  # of a later version: nobody answers


async def answer(broker: redis.asyncio.Redis, told: PendingCommand, said: CommandResult) -> None:
    """Whoever gave the order is told what came of it."""
    await broker.rpush(_answer_key(told.number), said)
    await broker.expire(_answer_key(told.number), COMMAND_TTL_S)


def _text(value: bytes | str) -> str:
    """redis-py types its answers for both kinds of client; ours gives bytes."""
    return value if isinstance(value, str) else value.decode()


def _orders_key(worker: str) -> str:
    return f"parlance:orders:{worker}"


def _answer_key(number: str) -> str:
    return f"parlance:answer:{number}"
