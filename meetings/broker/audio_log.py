"""The audio log: every frame of a meeting, in order, durable before it is acknowledged.

One stream per meeting in the broker. Entry `(frame + 1)-0` holds frame `frame`; entries `(frame + 1)-k` after it hold
marks (pause, end, language …) at that place in the audio. Frames are written by the scripts below alone, so numbering,
ownership and position can never disagree, whatever dies in between (docs/decisions/0012-one-writer-of-a-log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import redis.asyncio

from meetings.broker.client import EVEN_WHEN_FULL

SAMPLE_BYTES = 2
"""Signed 16-bit."""

HOST_TTL_MS = 3_000
"""A host that sent nothing for this long no longer keeps others out."""

PAGE_TTL_MS = 10_000
"""A page whose web process said nothing of it for this long is taken for gone."""

MAX_LOG_SAMPLES = 24 * 3600 * 16_000
"""Of one meeting that wait in the broker (2.8 GB): a day without any worker."""

ACTIVE = "parlance:active"
"""Set of meetings whose log may hold audio that is not captioned yet."""

Mark = Literal["pause", "resume", "flush", "language", "speakers", "translate", "end"]
"""What a host does between two frames; `flush` is the worker's own, when a host stays away; `translate`:
lines may have to be translated again, into the languages named too."""


class Outcome(Enum):
    """What the log did with a frame."""

    STORED = 1
    DUPLICATE = 0
    GAP = 2
    NOT_OWNER = -1
    """Another host is live."""
    STALE = -2
    """Another one wrote meanwhile, or the broker lost its file: the numbers have to be asked for anew."""
    TOO_FAST = -3
    FULL = -4
    """More waits in the log than one meeting may have there."""


class Verdict(Enum):
    """What came of a claim."""

    GRANTED = 1
    REFUSED = 0
    """Somebody else is live."""
    ASK = 2
    """The same session has another connection: whether it still lives decides."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who would be a meeting's host."""

    connection: str
    """One socket's own; frames are stored for it alone."""
    session: str
    """A tab's: it survives a reload, and is copied where the tab is."""
    page: str = ""
    """One load of a page; empty: who connects tells none. Without spaces."""


@dataclass(frozen=True, slots=True)
class Claim:
    verdict: Verdict
    other: str
    """The connection that stands in the way."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a log may grow by the broker's clock: a bucket, kept with the log, whoever connects how often."""

    samples_a_ms: float
    at_once: int
    """Samples beyond that pace, and beyond an absence."""
    absence: int
    """Samples of real time without sound that may be made up for at once."""


@dataclass(frozen=True, slots=True)
class Appended:
    outcome: Outcome
    next_frame: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the worker reads it: audio, or a mark."""

    id: bytes
    sample: int
    """Position of the entry's first sample."""
    pcm: bytes
    """Signed 16-bit little-endian mono; empty for a mark."""
    mark: str = ""
    value: str = ""

    @property
    def end(self) -> int:
        return self.sample + len(self.pcm) // SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the log reaches and how far it is captioned."""

    next_frame: int
    next_sample: int
    captioned: int
    """Samples; as told by the worker after each commit."""
    phase: str
    """What the worker does beyond captioning live (`catching_up`, `degraded`, `summarizing`), or empty."""
    until: float
    """Unix time when that is expected to be over; 0: nobody knows."""
    detected: str
    """The language that is heard while another one is set, or empty."""


def audio_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:audio"


def state_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:log"


def host_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:host"


STATE_FIELDS = ("next_frame", "next_sample", "captioned", "phase", "until", "detected")
"""Of the hash at `state_key`, in the order that `log_state` reads."""


def pages_key(meeting_id: str) -> str:
    """A hash of the sessions that are connected: until when, which page, which connection."""
    return f"parlance:{{{meeting_id}}}:pages"


def log_state(values: Sequence[bytes | None]) -> LogState:
    """From what the broker has of STATE_FIELDS; what it has not is zero or empty."""
    next_frame, next_sample, captioned = (int(number or 0) for number in values[:3])
    phase, until, detected = ((value or b"").decode() for value in values[3:])
    return LogState(next_frame, next_sample, captioned, phase, float(until or 0), detected)


# KEYS: audio stream, log state, host. ARGV: connection, host TTL in ms, frame, samples, PCM, most samples of the log,
# and for who is bound to a pace: its samples a ms, samples at once, most samples of an absence (else the first is 0).
# The log is the writer's who claimed it last: what that one was told of its numbers holds, and nobody else's word.
APPEND = """
local host = redis.call('GET', KEYS[3])
if host and host ~= ARGV[1] then return {-1, 0} end
local fields = {'writer', 'next_frame', 'next_sample', 'captioned', 'begun', 'credit', 'credit_at'}
local log = redis.call('HMGET', KEYS[2], unpack(fields))
local expected = tonumber(log[2] or '0')
if log[1] ~= ARGV[1] then return {-2, expected} end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
local sample, samples, pace = tonumber(log[3] or '0'), tonumber(ARGV[4]), tonumber(ARGV[7])
if pace > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local absent = (now - tonumber(log[5] or now)) * 16 - sample
  local most = ARGV[8] + math.max(0, math.min(absent, tonumber(ARGV[9])))
  local credit = log[6] and math.min(most, log[6] + (now - log[7]) * pace) or most
  if samples > credit then return {-3, expected} end
  redis.call('HSET', KEYS[2], 'credit', credit - samples, 'credit_at', now)
end
local frame = tonumber(ARGV[3])
if frame < expected then return {0, expected} end
if frame > expected then return {2, expected} end
if sample + samples - tonumber(log[4] or '0') > tonumber(ARGV[6]) then
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if oldest and sample + samples - oldest[2][2] > tonumber(ARGV[6]) then return {-4, expected} end
end
redis.call('XADD', KEYS[1], (frame + 1) .. '-0', 's', sample, 'p', ARGV[5])
redis.call('HSET', KEYS[2], 'next_frame', frame + 1, 'next_sample', sample + samples)
return {1, frame + 1}
"""

# KEYS: audio stream, log state. ARGV: mark, value.
MARK = f"""{EVEN_WHEN_FULL}
local frame = redis.call('HGET', KEYS[2], 'next_frame') or '0'
local sample = redis.call('HGET', KEYS[2], 'next_sample') or '0'
return redis.call('XADD', KEYS[1], frame .. '-*', 's', sample, 'm', ARGV[1], 'v', ARGV[2])
"""

# KEYS: log state. ARGV: fields and values in turn.
REPORT = f"""{EVEN_WHEN_FULL}
return redis.call('HSET', KEYS[1], unpack(ARGV))
"""

# KEYS: host, log state, pages, active meetings. ARGV: connection, host TTL in ms, takeover (1 or 0), captioned samples,
# session, page, page TTL in ms, a connection that is known to be gone, ms since the meeting began, meeting.
# A log that does not reach what is captioned has lost frames: it goes on behind those, of 1,600 samples each, as hosts'
# pages make them.
CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sessions = redis.call('HGETALL', KEYS[3])
local before = nil
for i = 1, #sessions, 2 do
  local till, page, connection = string.match(sessions[i + 1], '(%d+) (%S*) (.*)')
  local is_ours, is_over = sessions[i] == ARGV[5], tonumber(till) <= now
  if is_over then redis.call('HDEL', KEYS[3], sessions[i]) end
  if is_ours then
    before = connection
    local same = connection == ARGV[1] or connection == ARGV[8] or (page ~= '' and page == ARGV[6])
    if not (same or is_over) and ARGV[3] ~= '1' then return {2, connection} end
  end
end
local host = redis.call('GET', KEYS[1])
local ours = not host or host == ARGV[1] or host == before or host == ARGV[5] or host == ARGV[8]
if not ours and ARGV[3] ~= '1' then return {0, host} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[5], now + ARGV[7] .. ' ' .. ARGV[6] .. ' ' .. ARGV[1])
redis.call('PEXPIRE', KEYS[3], 2 * ARGV[7])
redis.call('HSETNX', KEYS[2], 'next_sample', ARGV[4])
local short = math.floor((ARGV[4] - redis.call('HGET', KEYS[2], 'next_sample')) / 1600)
if short > 0 then
  redis.call('HINCRBY', KEYS[2], 'next_frame', short)
  redis.call('HINCRBY', KEYS[2], 'next_sample', short * 1600)
end
redis.call('HSETNX', KEYS[2], 'begun', now - ARGV[9])
redis.call('HSET', KEYS[2], 'writer', ARGV[1])
redis.call('SADD', KEYS[4], ARGV[10])
return {1, ''}
"""

# KEYS: host, log state, pages. ARGV: connection, host TTL in ms, session, page, page TTL in ms, keep the host's place
# (1 or 0).
KEEP = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HGET', KEYS[3], ARGV[3])
if held and string.match(held, '%d+ %S* (.*)') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[3], ARGV[3], now + ARGV[5] .. ' ' .. ARGV[4] .. ' ' .. ARGV[1])
redis.call('PEXPIRE', KEYS[3], 2 * ARGV[5])
local host = redis.call('GET', KEYS[1])
if ARGV[6] == '1' and (not host or host == ARGV[1]) and redis.call('HGET', KEYS[2], 'writer') == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
"""

# KEYS: host, pages. ARGV: connection, session.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
local held = redis.call('HGET', KEYS[2], ARGV[2])
if held and string.match(held, '%d+ %S* (.*)') == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1
"""


class AudioLog:
    """Reads and writes the logs of all meetings."""

    def __init__(self, broker: redis.asyncio.Redis, *, blocking: redis.asyncio.Redis | None = None) -> None:
        """`blocking` is the client of `read`, which waits at the broker (`broker.connect_blocking`)."""
        self._broker = broker
        self._blocking = blocking or broker
        self._append = broker.register_script(APPEND)
        self._mark = broker.register_script(MARK)
        self._report = broker.register_script(REPORT)
        self._claim = broker.register_script(CLAIM)
        self._keep = broker.register_script(KEEP)
        self._release = broker.register_script(RELEASE)

    # -- the host's side -------------------------------------------------------------------------------------------

    async def claim(self, meeting_id: str, connection: str, *, takeover: bool, cursor: int) -> bool:
        """Make `connection` the meeting's host, for who has no page: `claim_as` says what the arguments are."""
        claimant = Claimant(connection, session=connection)
        return (await self.claim_as(meeting_id, claimant, takeover=takeover, cursor=cursor)).verdict is Verdict.GRANTED

    async def claim_as(
        self, meeting_id: str, claimant: Claimant, *, takeover: bool, cursor: int, gone: str = "", age_s: float = 0.0
    ) -> Claim:
        """Make the claimant host and only writer of the meeting, unless another one is and `takeover` is false.

        `cursor` (samples captioned) is where the audio goes on should the broker have lost its file, or the end of it;
        `age_s` is for how long the meeting has been running then. `gone` is a connection that no longer lives, as
        somebody asked it.
        """
        verdict, other = await self._claim(
            keys=[host_key(meeting_id), state_key(meeting_id), pages_key(meeting_id), ACTIVE],
            args=[
                claimant.connection,
                HOST_TTL_MS,
                int(takeover),
                cursor,
                claimant.session,
                claimant.page,
                PAGE_TTL_MS,
                gone,
                round(age_s * 1000),
                meeting_id,
            ],
        )
        return Claim(Verdict(int(verdict)), other.decode())

    async def keep(self, meeting_id: str, claimant: Claimant, *, keeps_place: bool) -> bool:
        """Say that the claimant's socket lives; False: the same session has another one by now.

        `keeps_place`: of a host that has paused. Frames keep that of one that sends them.
        """
        kept = await self._keep(
            keys=[host_key(meeting_id), state_key(meeting_id), pages_key(meeting_id)],
            args=[
                claimant.connection,
                HOST_TTL_MS,
                claimant.session,
                claimant.page,
                PAGE_TTL_MS,
                int(keeps_place),
            ],
        )
        return bool(kept)

    async def release(self, meeting_id: str, connection: str, *, session: str = "") -> None:
        keys = [host_key(meeting_id), pages_key(meeting_id)]
        await self._release(keys=keys, args=[connection, session or connection])

    async def append(
        self, meeting_id: str, connection: str, frame: int, pcm: bytes, *, pace: Pace | None = None
    ) -> Appended:
        """Store one frame once; when this returns, the frame is as durable as the broker makes it.

        `pace` bounds how fast the log may grow; None: whoever writes minds that.
        """
        bounds = (pace.samples_a_ms, pace.at_once, pace.absence) if pace else (0, 0, 0)
        code, next_frame = await self._append(
            keys=[audio_key(meeting_id), state_key(meeting_id), host_key(meeting_id)],
            args=[connection, HOST_TTL_MS, frame, len(pcm) // SAMPLE_BYTES, pcm, MAX_LOG_SAMPLES, *bounds],
        )
        return Appended(Outcome(int(code)), int(next_frame))

    async def mark(self, meeting_id: str, mark: Mark, value: str = "") -> None:
        """Puts a mark after the newest frame."""
        await self._mark(keys=[audio_key(meeting_id), state_key(meeting_id)], args=[mark, value])

    async def rouse(self, meeting_id: str, marks: Sequence[tuple[Mark, str]], *, cursor: int) -> None:
        """Puts marks after the newest frame and has a worker take the meeting; `cursor` is as in `claim`."""
        async with self._broker.pipeline(transaction=True) as together:
            together.hsetnx(state_key(meeting_id), "next_sample", str(cursor))
            for mark in marks:
                await self._mark(keys=[audio_key(meeting_id), state_key(meeting_id)], args=mark, client=together)
            together.sadd(ACTIVE, meeting_id)
            await together.execute()

    async def state(self, meeting_id: str) -> LogState:
        return log_state(await _awaited(self._broker.hmget(state_key(meeting_id), STATE_FIELDS)))

    # -- the worker's side -----------------------------------------------------------------------------------------

    async def active(self) -> list[str]:
        return sorted(member.decode() for member in await _awaited(self._broker.smembers(ACTIVE)))

    async def read(self, after: dict[str, bytes], *, block_ms: int, count: int) -> dict[str, list[Entry]]:
        """Entries after each meeting's last read id; waits up to `block_ms` when there are none."""
        streams: dict[Any, Any] = {audio_key(meeting_id): last for meeting_id, last in after.items()}
        reply = await _awaited(self._blocking.xread(streams, count=count, block=block_ms))
        by_key = {audio_key(meeting_id).encode(): meeting_id for meeting_id in after}
        return {by_key[key]: _entries(rows) for key, rows in _stream_rows(reply)}

    async def has(self, meeting_id: str, entry: Entry) -> bool:
        """Return whether the log still has the entry as it was read."""
        return _entries(await _awaited(self._broker.xrange(audio_key(meeting_id), entry.id, entry.id))) == [entry]

    async def report(self, meeting_id: str, *, captioned: int, phase: str, until: float = 0.0) -> None:
        """Tells ledgers and late joiners how far the meeting is captioned, what the worker is at, and until when."""
        await self._report(keys=[state_key(meeting_id)], args=["captioned", captioned, "phase", phase, "until", until])

    async def report_language(self, meeting_id: str, detected: str) -> None:
        """Tells the host that another language is heard than the one that is set; empty: no longer."""
        await self._report(keys=[state_key(meeting_id)], args=["detected", detected])

    async def trim(self, meeting_id: str, before: bytes) -> None:
        """Forgets entries older than `before`."""
        await _awaited(self._broker.xtrim(audio_key(meeting_id), minid=before.decode(), approximate=False))

    async def activate(self, meeting_id: str) -> None:
        """Have a worker take the meeting."""
        await _awaited(self._broker.sadd(ACTIVE, meeting_id))

    async def retire(self, meeting_id: str) -> None:
        """The meeting has nothing left to caption; a host that returns makes it active again."""
        await _awaited(self._broker.srem(ACTIVE, meeting_id))

    async def forget(self, meeting_id: str) -> None:
        """Deletes everything the broker holds about an ended meeting's audio."""
        await self.retire(meeting_id)
        keys = (audio_key(meeting_id), state_key(meeting_id), host_key(meeting_id), pages_key(meeting_id))
        await _awaited(self._broker.delete(*keys))


def _stream_rows(reply: Any) -> Sequence[tuple[bytes, Any]]:
    """redis-py answers a mapping under RESP3 and a list of pairs under RESP2."""
    if not reply:
        return []
    return [(key, rows[0]) for key, rows in reply.items()] if isinstance(reply, dict) else reply


def _entries(rows: Any) -> list[Entry]:
    return [
        Entry(
            id=entry_id,
            sample=int(fields[b"s"]),
            pcm=fields.get(b"p", b""),
            mark=fields.get(b"m", b"").decode(),
            value=fields.get(b"v", b"").decode(),
        )
        for entry_id, fields in rows
    ]


async def _awaited(result: Any) -> Any:
    """redis-py types its asynchronous replies as `Awaitable | value`."""
    return await result
