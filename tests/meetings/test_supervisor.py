"""How the supervisor minds the embedded broker: real servers, and a clock that the tests set."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import redis.retry
from redis.backoff import NoBackoff

from meetings import supervisor
from meetings.broker.embedded import BrokerStartError, EmbeddedBroker
from meetings.broker.incidents import BROKER_DIED, BROKER_SILENT
from meetings.supervisor import BROKER_HUNG_S, RESTART_PAUSE_S, STEADY_S, BrokerMinder, Child, SettingsRefused
from tests.meetings.brokers import SlowlyLoading, stopped, write_log

LOOK_S = 0.04
WAIT_S = 20.0
BLOCKED_S = 1.0
"""A look that takes this long waits for something."""


class Minded:
    """A minder, its server, and a clock of its own."""

    def __init__(self, server: EmbeddedBroker) -> None:
        self.server = server
        self.troubles: list[str] = []
        self.minder = BrokerMinder(server, on_trouble=lambda event, detail: self.troubles.append(event))
        self.now = time.monotonic()
        self.minder.start()

    def mind(self, *, seconds: float) -> None:
        """One look after so many seconds of the clock, which may not wait for the broker."""
        self.now += seconds
        began = time.monotonic()
        self.minder.mind(self.now)
        assert time.monotonic() - began < BLOCKED_S

    def mind_until_it_answers(self, *, seconds: float = 0.0) -> int:
        """Looks, until one is answered."""
        deadline, looks = time.monotonic() + WAIT_S, 0
        while True:
            self.mind(seconds=seconds)
            looks += 1
            try:
                self.client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline, "the broker does not come back"
                time.sleep(LOOK_S)
            else:
                self._mind_the_answer()
                return looks

    def _mind_the_answer(self) -> None:
        """The probe's own answer may come a moment later than ours."""
        deadline = time.monotonic() + WAIT_S
        while not self.minder.has_begun or self.minder._silent_s or self.minder._trouble:
            assert time.monotonic() < deadline
            self.mind(seconds=0.0)
            time.sleep(LOOK_S)

    @property
    def client(self) -> redis.Redis:
        """Tries nothing twice."""
        return redis.Redis(
            unix_socket_path=str(self.server._socket), socket_timeout=10, retry=redis.retry.Retry(NoBackoff(), 0)
        )


@pytest.fixture
def minded(tmp_path: Path) -> Iterator[Minded]:
    minded = Minded(EmbeddedBroker(tmp_path / "broker", tmp_path / "valkey.sock"))
    minded.mind_until_it_answers()
    yield minded
    minded.minder.stop()


def test_one_that_is_stopped_by_a_signal_is_not_ended(minded: Minded) -> None:
    """Ten minutes of it: what it has in memory and on disk stays, and it goes on."""
    pid = minded.server.pid
    minded.client.set("kept", "1")
    with stopped(minded.server.pid):
        for _ in range(600):
            minded.mind(seconds=1.0)
    minded.mind_until_it_answers()
    assert minded.server.pid == pid
    assert minded.client.get("kept") == b"1"
    assert minded.troubles == [BROKER_SILENT]


def test_a_slow_answer_is_a_warning(minded: Minded, caplog: pytest.LogCaptureFixture) -> None:
    pid = minded.server.pid
    with stopped(minded.server.pid):
        for _ in range(5):
            minded.mind(seconds=1.0)
    minded.mind_until_it_answers()
    assert (minded.server.pid, minded.troubles) == (pid, [])
    assert events(caplog) == ["broker_slow", "broker_answers_again"]


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]


def test_silence_is_not_counted_while_this_process_did_not_run(minded: Minded) -> None:
    """A machine that slept for an hour: one look is one look."""
    pid = minded.server.pid
    with stopped(minded.server.pid):
        minded.mind(seconds=3600.0)
        minded.mind(seconds=3600.0)
    minded.mind_until_it_answers()
    assert (minded.server.pid, minded.troubles) == (pid, [])


def test_one_that_hangs_by_itself_is_ended_and_loses_nothing(minded: Minded) -> None:
    """It does something that has no end, and answers nobody."""
    pid = minded.server.pid
    minded.client.set("kept", "1")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(minded.server._socket))
        caller.sendall(b'EVAL "while true do end" 0\r\n')
        looks = 0
        while minded.server.process_state() == "R" or looks == 0:
            minded.mind(seconds=1.0)
            looks += 1
            assert looks < 2 * BROKER_HUNG_S
    assert looks >= BROKER_HUNG_S
    while minded.server.is_running():
        time.sleep(LOOK_S)
    minded.mind_until_it_answers(seconds=0.1)
    assert minded.server.pid != pid
    assert minded.client.get("kept") == b"1"
    assert minded.troubles == [BROKER_DIED]


def test_one_that_ended_is_started_again_after_growing_pauses(minded: Minded) -> None:
    minded.client.set("kept", "1")
    for pause in RESTART_PAUSE_S:
        end(minded.server)
        minded.mind(seconds=0.01)
        minded.mind(seconds=pause - 0.02)
        assert not minded.server.is_running()
        minded.mind(seconds=0.02)
        assert minded.server.is_running()
        minded.mind_until_it_answers()
    assert minded.client.get("kept") == b"1"
    assert minded.troubles == [BROKER_DIED] * len(RESTART_PAUSE_S)


def end(server: EmbeddedBroker) -> None:
    assert server.pid is not None
    process = psutil.Process(server.pid)
    process.kill()
    while server.is_running():
        time.sleep(LOOK_S)


def test_one_that_loads_is_waited_for_without_a_bound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A look a second by the clock, and longer than anything that is silent may take."""
    write_log(tmp_path / "broker", keys=20_000)
    minded = Minded(SlowlyLoading(tmp_path / "broker", tmp_path / "valkey.sock", delay_us=150))
    try:
        pid, began = minded.server.pid, minded.now
        loading_s = 0.0
        while minded.minder._loading_s >= loading_s:
            loading_s = minded.minder._loading_s
            minded.mind(seconds=1.0)
            time.sleep(LOOK_S)
        assert minded.now - began > BROKER_HUNG_S
        assert minded.server.pid == pid
        assert minded.client.dbsize() == 20_000
        assert "broker_loads" in events(caplog)
    finally:
        minded.minder.stop()


def test_silence_while_it_loads_is_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that gives nothing for a minute: to end the process would have it begin again."""
    monkeypatch.setattr(EmbeddedBroker, "process_state", lambda self: "S")
    write_log(tmp_path / "broker", keys=10_000)
    minded = Minded(SlowlyLoading(tmp_path / "broker", tmp_path / "valkey.sock", delay_us=150))
    try:
        while not minded.minder.has_begun:
            minded.mind(seconds=0.0)
            time.sleep(LOOK_S)
        with stopped(minded.server.pid):
            for _ in range(600):
                minded.mind(seconds=1.0)
        minded.mind_until_it_answers()
        assert minded.client.dbsize() == 10_000
    finally:
        minded.minder.stop()


def test_the_others_may_start_while_it_loads(tmp_path: Path) -> None:
    write_log(tmp_path / "broker", keys=10_000)
    minded = Minded(SlowlyLoading(tmp_path / "broker", tmp_path / "valkey.sock", delay_us=150))
    try:
        while not minded.minder.has_begun:
            minded.mind(seconds=0.0)
            time.sleep(LOOK_S)
        with pytest.raises(redis.BusyLoadingError):
            minded.client.ping()
    finally:
        minded.minder.stop()


def test_one_that_cannot_start_is_said_at_the_first_start(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "appendonlydir").write_text("a file where a folder should be")
    server = EmbeddedBroker(tmp_path / "broker", tmp_path / "valkey.sock")
    minder = BrokerMinder(server, on_trouble=lambda event, detail: None)
    minder.start()
    while server.is_running():
        time.sleep(LOOK_S)
    with pytest.raises(BrokerStartError, match="The embedded Valkey did not start: exit code 1"):
        minder.mind(time.monotonic())
    minder.stop()


def test_one_that_cannot_start_again_is_tried_for_ever(minded: Minded, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk; here its folder is taken away."""
    minded.client.set("kept", "1")
    away = minded.server._folder.with_name("away")
    end(minded.server)
    (minded.server._folder / "appendonlydir").rename(away)
    (minded.server._folder / "appendonlydir").write_text("no room")
    pids = set()
    for _ in range(4):
        minded.mind(seconds=10.0)
        minded.mind(seconds=10.0)
        pids.add(minded.server.pid)
        while minded.server.is_running():
            time.sleep(LOOK_S)
    assert len(pids) == 4
    (minded.server._folder / "appendonlydir").unlink()
    away.rename(minded.server._folder / "appendonlydir")
    minded.mind_until_it_answers(seconds=5.0)
    assert minded.client.get("kept") == b"1"


def test_operators_are_told_without_waiting_for_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers at this address, and a connection to it takes its time."""
    told = []
    monkeypatch.setattr(supervisor, "connect_sync", lambda: None)
    monkeypatch.setattr(supervisor, "file_incident", lambda *arguments: time.sleep(BLOCKED_S) or told.append(arguments))
    began = time.monotonic()
    supervisor._tell("inference", "process_died", "signal SIGKILL")
    assert time.monotonic() - began < BLOCKED_S


def test_settings_that_worked_before_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is away says what settings that make no sense say; a process that was only slow proves nothing."""
    ended = {code: subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"]) for code in (1, 2)}
    for process in ended.values():
        process.wait(WAIT_S)
    starts: list[float] = []
    monkeypatch.setattr(Child, "start", lambda child: starts.append(child.restart_at))
    worked = Child("inference", ["inference"])
    for now, code in ((STEADY_S + 1.0, 1), (STEADY_S + 10.0, 2)):
        worked.process = ended[code]
        worked.mind(now)
        worked.mind(now + 9.0)
    assert len(starts) == 2
    slow = Child("inference", ["inference"], process=ended[2])
    with pytest.raises(SettingsRefused, match="The inference process cannot start with these settings"):
        slow.mind(STEADY_S + 1.0)
