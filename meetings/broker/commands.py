"""Commands from operators to workers through the broker, and their results. A command that is not taken is void."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

import redis
import redis.asyncio

RESULT_WAIT_S = 15.0
"""How long an operator waits: models come back within seconds."""

COMMAND_POLL_S = 1.0
COMMAND_TTL_S = 60
"""Time after which the broker drops a command or a result that is not taken."""


class Command(StrEnum):
    """What a worker can be ordered to do."""

    RESTORE = "restore"
    """Restore captions now: cancel and put off a summary in progress, wake sleeping models."""
    SLEEP = "sleep"
    """Move an idle worker's models off the device. The first audio wakes them."""


class CommandResult(StrEnum):
    """The result of a command."""

    RESTORED = "restored"
    CAPTIONING = "captioning"
    """There was nothing to restore."""
    ASLEEP = "asleep"
    IN_USE = "in_use"
    """Not put to sleep: a meeting is being captioned."""
    BUSY = "busy"
    """Not put to sleep: models are being moved, or a summary is written."""
    UNDER_WAY = "under_way"
    """In progress: a summariser checks for cancellation after each of its steps."""
    FAILED = "failed"
    """A model could not be moved; captions are back, and the log has the reason."""


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command that was sent and has no result yet."""

    number: str
    order: Command

    def packed(self) -> str:
        return json.dumps([self.number, self.order])


def send(broker: redis.Redis, worker: str, order: Command, *, within_s: float = RESULT_WAIT_S) -> CommandResult | None:
    """Send a command to a worker, and wait for the result. Return None, and void the command, if it is not taken.

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
    """Return the next command for `worker`, or None if there is none within `wait_s` seconds."""
    found = await broker.blpop([_orders_key(worker)], timeout=wait_s)
    if found is None:
        return None
    number, order, *_ = json.loads(found[1])
    return PendingCommand(number, Command(order)) if order in set(Command) else None  # of a later version: not answered


async def answer(broker: redis.asyncio.Redis, told: PendingCommand, said: CommandResult) -> None:
    """Send the result to the operator."""
    await broker.rpush(_answer_key(told.number), said)
    await broker.expire(_answer_key(told.number), COMMAND_TTL_S)


def _text(value: bytes | str) -> str:
    """Decode a reply. redis-py types replies for both kinds of client; ours returns bytes."""
    return value if isinstance(value, str) else value.decode()


def _orders_key(worker: str) -> str:
    return f"parlance:orders:{worker}"


def _answer_key(number: str) -> str:
    return f"parlance:answer:{number}"
