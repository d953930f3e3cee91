from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import redis

from meetings.broker import EmbeddedBroker


def test_ctrl_c_of_the_terminal_does_not_reach_the_broker(tmp_path: Path) -> None:
    server = EmbeddedBroker(tmp_path / "broker", tmp_path / "valkey.sock")
    server.start()
    pid = server.pid
    assert pid is not None
    try:
        os.kill(pid, signal.SIGINT)
        client = redis.Redis(unix_socket_path=str(tmp_path / "valkey.sock"))
        # Valkey would end within a tenth of a second, and with it this wait for a list that nobody fills.
        assert client.blpop("nothing", timeout=1) is None
    finally:
        server.stop()
    assert not psutil.pid_exists(pid)


def test_interrupts_are_heard_again_afterwards(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    server = EmbeddedBroker(tmp_path / "broker", tmp_path / "valkey.sock")
    server.start()
    server.stop()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
