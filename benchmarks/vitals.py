"""Resources of a running Parlance: memory, threads and descriptors of each process; keys and bytes of its broker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from inference.audio import SAMPLE_RATE
from meetings.broker.audio_log import state_key
from meetings.broker.incidents import read_incidents
from meetings.environment import read_environment
from tests.live import RunningParlance

MIB = 2**20
PROCESSES = ("inference", "web", "valkey-server")
SUPERVISOR = "live"


@dataclass(frozen=True, slots=True)
class ProcessVitals:
    """One process at one moment."""

    rss_mib: float
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """All processes at one moment."""

    wall_s: float
    """Seconds since the session began."""
    audio_h: float
    """Audio with final captions, in hours."""
    behind_s: float
    """Stored audio without captions."""
    processes: dict[str, ProcessVitals]
    broker_keys: int
    broker_mib: float
    """Valkey's used memory."""
    broker_file_mib: float
    """Its append-only file on disk."""
    database_mib: float


@dataclass(frozen=True, slots=True)
class AudioPosition:
    """Stored and captioned audio of a meeting, in seconds."""

    stored_s: float
    captioned_s: float

    @property
    def behind_s(self) -> float:
        return max(0.0, self.stored_s - self.captioned_s)


class Monitor:
    """Samples one running Parlance. Fails with psutil.NoSuchProcess if a process was restarted."""

    def __init__(self, parlance: RunningParlance) -> None:
        self._data = parlance.data
        self._processes = {name: parlance.process(name) for name in PROCESSES}
        self._processes[SUPERVISOR] = psutil.Process(self._processes["inference"].ppid())
        socket = read_environment({"PARLANCE_DATA": str(parlance.data)}).broker_socket
        self._broker = redis.Redis(unix_socket_path=str(socket))

    def position(self, meeting_id: str) -> AudioPosition:
        stored, captioned = self._broker.hmget(state_key(meeting_id), ("next_sample", "captioned"))
        return AudioPosition(int(stored or 0) / SAMPLE_RATE, int(captioned or 0) / SAMPLE_RATE)

    def keys(self) -> list[str]:
        return sorted(key.decode() for key in self._broker.scan_iter())

    def incidents(self) -> list[str]:
        """Return the incidents reported by the workers, newest first: the event and its details."""
        return [f"{one.moment:%H:%M:%S} {one.event} {one.detail}".rstrip() for one in read_incidents(self._broker)]

    def take(self, wall_s: float, position: AudioPosition) -> Vitals:
        return Vitals(
            wall_s=round(wall_s, 1),
            audio_h=round(position.captioned_s / 3600, 4),
            behind_s=round(position.behind_s, 1),
            processes={name: _vitals(process) for name, process in self._processes.items()},
            broker_keys=self._broker.dbsize(),
            broker_mib=round(self._broker.info("memory")["used_memory"] / MIB, 2),
            broker_file_mib=_mib(self._data / "broker"),
            database_mib=sum(_mib(path) for path in self._data.glob("parlance.sqlite3*")),
        )


def _vitals(process: psutil.Process) -> ProcessVitals:
    return ProcessVitals(round(process.memory_info().rss / MIB, 2), process.num_threads(), process.num_fds())


def _mib(path: Path) -> float:
    """Return the size of a file or of all files in a folder; Valkey may replace some of them meanwhile."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    size = 0
    for file in files:
        try:
            size += file.stat().st_size
        except FileNotFoundError:
            continue
    return round(size / MIB, 2)
