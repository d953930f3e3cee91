"""The audio log: every frame of a meeting, in order, durable before it is acknowledged.

One stream per meeting in the broker. Entry `(frame + 1)-0` holds frame `frame`; entries `(frame + 1)-k` after it hold
marks (pause, end, language …) at that place in the audio. Only the scripts below write frames, so numbering, ownership
and position stay consistent through any crash (docs/decisions/0012-one-writer-of-a-log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import redis.asyncio

from meetings.broker.client import EVEN_WHEN_FULL
from meetings.broker.leases import lease_key

SAMPLE_BYTES = 2
"""Signed 16-bit."""

HOST_TTL_MS = 3_000
"""A host that has sent nothing for this long no longer blocks others."""

BEAT_TTL_MS = 3_000
"""A host that was not heard from for this long is away: no frame has come, nor an answer while it pauses."""

PAGE_TTL_MS = 10_000
"""A page that its web process has not reported for this long counts as gone."""

MAX_LOG_SAMPLES = 24 * 3600 * 16_000
"""Samples of one meeting that may wait in the broker (2.8 GB): a day without any worker."""

ACTIVE = "parlance:active"
"""Set of meetings whose log may hold audio that is not captioned yet."""

Mark = Literal["pause", "resume", "flush", "language", "speakers", "translate", "sealing", "end"]
"""An action of the host between two frames.

Exceptions: workers set `flush` when a host stays away; `translate` says that captions may need a new translation, also
into the languages named.
"""


class AppendOutcome(Enum):
    """What the log did with a frame."""

    STORED = 1
    DUPLICATE = 0
    GAP = 2
    NOT_OWNER = -1
    """Another host is live."""
    STALE = -2
    """Another connection wrote meanwhile, or the broker lost its file: ask for the frame number again."""
    TOO_FAST = -3
    FULL = -4
    """The meeting has MAX_LOG_SAMPLES waiting in the log."""


class ClaimVerdict(Enum):
    """The result of a claim."""

    GRANTED = 1
    REFUSED = 0
    """Another host is live."""
    ASK = 2
    """The same session has another connection; the claim depends on whether that one is alive."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """A connection that claims to be a meeting's host."""

    connection: str
    """Unique per socket. Frames are accepted from the claiming connection only."""
    session: str
    """Identifies a tab: survives a reload, and is copied when the tab is duplicated."""
    page: str = ""
    """Identifies one load of a page; empty if the client sends none. Without spaces."""


@dataclass(frozen=True, slots=True)
class Claim:
    verdict: ClaimVerdict
    other: str
    """The connection that holds the meeting."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate limit for a log by the broker's clock: a bucket, stored with the log across reconnections."""

    samples_a_ms: float
    at_once: int
    """Burst in samples, in addition to the rate and to an absence."""
    absence: int
    """Samples of an absence that may be made up for at once."""


@dataclass(frozen=True, slots=True)
class Appended:
    outcome: AppendOutcome
    next_frame: int


@dataclass(frozen=True, slots=True)
class AudioEntry:
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
    """How far the log reaches, and how far it is captioned."""

    next_frame: int
    next_sample: int
    captioned: int
    """Samples, as reported by the worker after each commit."""
    phase: str
    """The worker's phase (`catching_up`, `degraded`, `summarizing`), or empty."""
    until: float
    """Expected end of the phase in Unix time; 0: unknown."""
    detected: str
    """The language heard if it differs from the one that is set, or empty."""
    is_held: bool = True
    """Whether a worker holds the meeting; True where only the hash was read."""


def audio_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:audio"


def state_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:log"


def host_key(meeting_id: str) -> str:
    return f"parlance:{{{meeting_id}}}:host"


def beat_key(meeting_id: str) -> str:
    """Return the key that is there while the host is heard from; it expires by itself, whichever process dies."""
    return f"parlance:{{{meeting_id}}}:beat"


STATE_FIELDS = ("next_frame", "next_sample", "captioned", "phase", "until", "detected")
"""Fields of the hash at `state_key`, in the order that `log_state` reads."""


def pages_key(meeting_id: str) -> str:
    """Return the key of the hash of connected sessions: expiry, page and connection of each."""
    return f"parlance:{{{meeting_id}}}:pages"


KEYS = (audio_key, state_key, host_key, beat_key, pages_key)
"""Everything that the broker holds about a meeting's audio."""


def log_state(values: Sequence[bytes | None], *, is_held: bool = True) -> LogState:
    """Build the state from the values of STATE_FIELDS; missing ones become zero or empty."""
    next_frame, next_sample, captioned = (int(number or 0) for number in values[:3])
    phase, until, detected = ((value or b"").decode() for value in values[3:])
    return LogState(next_frame, next_sample, captioned, phase, float(until or 0), detected, is_held)


# KEYS: audio stream, log state, host, beat. ARGV: connection, host TTL in ms, frame, samples, PCM, most samples of the
# log, and if there is a pace: its samples a ms, samples at once, most samples of an absence (else the first is 0); then
# the beat's TTL in ms. Only the connection that claimed the log last may write: the frame numbers it was sent are the
# valid ones.
APPEND = """
local host = redis.call('GET', KEYS[3])
if host and host ~= ARGV[1] then return {-1, 0} end
local fields = {'writer', 'next_frame', 'next_sample', 'captioned', 'begun', 'credit', 'credit_at'}
local log = redis.call('HMGET', KEYS[2], unpack(fields))
local expected = tonumber(log[2] or '0')
if log[1] ~= ARGV[1] then return {-2, expected} end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[4], 1, 'PX', ARGV[10])
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

# KEYS: audio stream, log state, beat. ARGV: mark, value. A host that has ended the meeting is not waited for.
MARK = f"""{EVEN_WHEN_FULL}
local frame = redis.call('HGET', KEYS[2], 'next_frame') or '0'
local sample = redis.call('HGET', KEYS[2], 'next_sample') or '0'
if ARGV[1] == 'end' then redis.call('SET', KEYS[3], 'end') end
return redis.call('XADD', KEYS[1], frame .. '-*', 's', sample, 'm', ARGV[1], 'v', ARGV[2])
"""

# KEYS: log state. ARGV: fields and values in turn.
REPORT = f"""{EVEN_WHEN_FULL}
return redis.call('HSET', KEYS[1], unpack(ARGV))
"""

# KEYS: host, log state, pages, active meetings, beat. ARGV: connection, host TTL in ms, takeover (1 or 0), captioned
# samples, session, page, page TTL in ms, a connection known to be gone, ms since the meeting began, meeting, the beat's
# TTL in ms. A log that ends before the captioned samples has lost frames. It then skips them, at 1,600 samples each,
# the size that hosts' pages use.
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
if redis.call('PTTL', KEYS[5]) ~= -1 then redis.call('SET', KEYS[5], 1, 'PX', ARGV[11]) end
return {1, ''}
"""

# KEYS: host, log state, pages, beat. ARGV: connection, host TTL in ms, session, page, page TTL in ms, keep the host's
# place (1 or 0), the beat's TTL in ms.
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
  if redis.call('PTTL', KEYS[4]) ~= -1 then redis.call('SET', KEYS[4], 1, 'PX', ARGV[7]) end
end
return 1
"""

# KEYS: host, pages. ARGV: connection, session.
RELEASE_HOST = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
local held = redis.call('HGET', KEYS[2], ARGV[2])
if held and string.match(held, '%d+ %S* (.*)') == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1
"""


def hosts_heard(broker: redis.Redis, meeting_ids: Sequence[str]) -> list[bool]:
    """As `AudioLog.heard`, for a plain thread."""
    with broker.pipeline(transaction=False) as together:
        for meeting_id in meeting_ids:
            together.exists(*_presence_keys(meeting_id))
        return [count > 0 for count in together.execute()]


class AudioLog:
    """Read and write the logs of all meetings."""

    def __init__(self, broker: redis.asyncio.Redis, *, blocking: redis.asyncio.Redis | None = None) -> None:
        """`blocking` is the client for `read`, which blocks (`client.connect_blocking`)."""
        self._broker = broker
        self._blocking = blocking or broker
        self._append = broker.register_script(APPEND)
        self._mark = broker.register_script(MARK)
        self._report = broker.register_script(REPORT)
        self._claim = broker.register_script(CLAIM)
        self._keep = broker.register_script(KEEP)
        self._release = broker.register_script(RELEASE_HOST)

    # -- the host's side -------------------------------------------------------------------------------------------

    async def claim(self, meeting_id: str, connection: str, *, takeover: bool, cursor: int) -> bool:
        """Make `connection`, which has no page, the meeting's host. For the arguments see `claim_as`."""
        claimant = Claimant(connection, session=connection)
        return (
            await self.claim_as(meeting_id, claimant, takeover=takeover, cursor=cursor)
        ).verdict is ClaimVerdict.GRANTED

    async def claim_as(
        self, meeting_id: str, claimant: Claimant, *, takeover: bool, cursor: int, gone: str = "", age_s: float = 0.0
    ) -> Claim:
        """Make the claimant host and only writer of the meeting, unless another one is and `takeover` is false.

        `cursor` (samples captioned) is where the audio continues if the broker has lost its file, or the end of it;
        `age_s` is how long the meeting has been running then. `gone` is a connection that was found to be closed.
        """
        verdict, other = await self._claim(
            keys=[host_key(meeting_id), state_key(meeting_id), pages_key(meeting_id), ACTIVE, beat_key(meeting_id)],
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
                BEAT_TTL_MS,
            ],
        )
        return Claim(ClaimVerdict(int(verdict)), other.decode())

    async def keep(self, meeting_id: str, claimant: Claimant, *, keeps_place: bool) -> bool:
        """Renew the claimant's session. Return False if the session has another connection by now.

        `keeps_place`: renew the host's lease and beat too, for a host that has paused. Otherwise frames renew them.
        """
        kept = await self._keep(
            keys=[host_key(meeting_id), state_key(meeting_id), pages_key(meeting_id), beat_key(meeting_id)],
            args=[
                claimant.connection,
                HOST_TTL_MS,
                claimant.session,
                claimant.page,
                PAGE_TTL_MS,
                int(keeps_place),
                BEAT_TTL_MS,
            ],
        )
        return bool(kept)

    async def release(self, meeting_id: str, connection: str, *, session: str = "") -> None:
        keys = [host_key(meeting_id), pages_key(meeting_id)]
        await self._release(keys=keys, args=[connection, session or connection])

    async def append(
        self, meeting_id: str, connection: str, frame: int, pcm: bytes, *, pace: Pace | None = None
    ) -> Appended:
        """Store one frame once. When this returns, the frame is as durable as the broker makes it.

        `pace` limits how fast the log may grow; None for writers that limit themselves.
        """
        bounds = (pace.samples_a_ms, pace.at_once, pace.absence) if pace else (0, 0, 0)
        code, next_frame = await self._append(
            keys=[audio_key(meeting_id), state_key(meeting_id), host_key(meeting_id), beat_key(meeting_id)],
            args=[connection, HOST_TTL_MS, frame, len(pcm) // SAMPLE_BYTES, pcm, MAX_LOG_SAMPLES, *bounds, BEAT_TTL_MS],
        )
        return Appended(AppendOutcome(int(code)), int(next_frame))

    async def mark(self, meeting_id: str, mark: Mark, value: str = "") -> None:
        """Append a mark after the newest frame."""
        await self._mark(keys=_mark_keys(meeting_id), args=[mark, value])

    async def rouse(self, meeting_id: str, marks: Sequence[tuple[Mark, str]], *, cursor: int) -> None:
        """Append marks after the newest frame, and activate the meeting. For `cursor` see `claim_as`."""
        async with self._broker.pipeline(transaction=True) as together:
            together.hsetnx(state_key(meeting_id), "next_sample", str(cursor))
            for mark in marks:
                await self._mark(keys=_mark_keys(meeting_id), args=mark, client=together)
            together.sadd(ACTIVE, meeting_id)
            await together.execute()

    async def heard(self, meeting_ids: Sequence[str]) -> list[bool]:
        """Return of each meeting whether its host is heard from, or has ended it."""
        async with self._broker.pipeline(transaction=False) as together:
            for meeting_id in meeting_ids:
                together.exists(*_presence_keys(meeting_id))
            return [count > 0 for count in await together.execute()]

    async def has_ended(self, meeting_id: str) -> bool:
        """Return whether the log has its end mark."""
        return bool(await _awaited(self._broker.get(beat_key(meeting_id))) == b"end")

    async def state(self, meeting_id: str) -> LogState:
        [state] = await self.states([meeting_id])
        return state

    async def states(self, meeting_ids: Sequence[str]) -> list[LogState]:
        async with self._broker.pipeline(transaction=False) as together:
            for meeting_id in meeting_ids:
                together.hmget(state_key(meeting_id), STATE_FIELDS)
                together.exists(lease_key(meeting_id))
            answers = await together.execute()
        return [log_state(values, is_held=count > 0) for values, count in zip(answers[::2], answers[1::2], strict=True)]

    # -- the worker's side -----------------------------------------------------------------------------------------

    async def active(self) -> list[str]:
        return sorted(member.decode() for member in await _awaited(self._broker.smembers(ACTIVE)))

    async def read(self, after: dict[str, bytes], *, block_ms: int, count: int) -> dict[str, list[AudioEntry]]:
        """Return the entries after each meeting's last read id; wait up to `block_ms` if there are none."""
        streams: dict[Any, Any] = {audio_key(meeting_id): last for meeting_id, last in after.items()}
        reply = await _awaited(self._blocking.xread(streams, count=count, block=block_ms))
        by_key = {audio_key(meeting_id).encode(): meeting_id for meeting_id in after}
        return {by_key[key]: _entries(rows) for key, rows in _stream_rows(reply)}

    async def has(self, meeting_id: str, entry: AudioEntry) -> bool:
        """Return whether the log still has the entry as it was read."""
        return _entries(await _awaited(self._broker.xrange(audio_key(meeting_id), entry.id, entry.id))) == [entry]

    async def has_after(self, meeting_id: str, last: bytes) -> bool:
        """Return whether the log has entries after the one with the id `last`."""
        return bool(await _awaited(self._broker.xrange(audio_key(meeting_id), b"(" + last, count=1)))

    async def report(self, meeting_id: str, *, captioned: int, phase: str, until: float = 0.0) -> None:
        """Store how far the meeting is captioned, the worker's phase, and its expected end, for status messages."""
        await self._report(keys=[state_key(meeting_id)], args=["captioned", captioned, "phase", phase, "until", until])

    async def report_language(self, meeting_id: str, detected: str) -> None:
        """Store the language heard if it differs from the one that is set; empty if not."""
        await self._report(keys=[state_key(meeting_id)], args=["detected", detected])

    async def trim(self, meeting_id: str, before: bytes) -> None:
        """Delete entries older than `before`."""
        await _awaited(self._broker.xtrim(audio_key(meeting_id), minid=before.decode(), approximate=False))

    async def activate(self, meeting_id: str) -> None:
        """Mark the meeting as active, so that a worker takes it."""
        await _awaited(self._broker.sadd(ACTIVE, meeting_id))

    async def retire(self, meeting_id: str) -> None:
        """Mark the meeting as inactive: nothing is left to caption. A host that goes on activates it again."""
        await _awaited(self._broker.srem(ACTIVE, meeting_id))

    async def forget(self, meeting_id: str) -> None:
        """Delete everything the broker holds about an ended meeting's audio."""
        await self.retire(meeting_id)
        await _awaited(self._broker.delete(*(key(meeting_id) for key in KEYS)))


def _presence_keys(meeting_id: str) -> list[str]:
    """Return the keys of which a present host has one: a web process of an earlier version renews the lease alone."""
    return [beat_key(meeting_id), host_key(meeting_id)]


def _mark_keys(meeting_id: str) -> list[str]:
    return [audio_key(meeting_id), state_key(meeting_id), beat_key(meeting_id)]


def _stream_rows(reply: Any) -> Sequence[tuple[bytes, Any]]:
    """Normalize a reply: redis-py returns a mapping under RESP3 and a list of pairs under RESP2."""
    if not reply:
        return []
    return [(key, rows[0]) for key, rows in reply.items()] if isinstance(reply, dict) else reply


def _entries(rows: Any) -> list[AudioEntry]:
    return [
        AudioEntry(
            id=entry_id,
            sample=int(fields[b"s"]),
            pcm=fields.get(b"p", b""),
            mark=fields.get(b"m", b"").decode(),
            value=fields.get(b"v", b"").decode(),
        )
        for entry_id, fields in rows
    ]


async def _awaited(result: Any) -> Any:
    """Await a reply that redis-py types as `Awaitable | value`."""
    return await result
