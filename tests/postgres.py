"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a port of this machine, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import free_port

DEBIANS = Path("/usr/lib/postgresql")
NAME = "parlance"
LOOPBACK = "127.0.0.1"
SETTINGS = ("fsync=off", "max_connections=60", "unix_socket_directories=''")
"""No test cuts the power."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One server, whoever runs it."""

    folder: Path
    programs: Path
    address: str
    """Where it listens."""
    port: int
    user: str | None
    """Whom the server runs as, where the tests run as root: it refuses that."""

    @property
    def url(self) -> str:
        """For DATABASE_URL."""
        return f"postgres://{NAME}@{self.address}:{self.port}/postgres"

    def start(self) -> None:
        where = (f"port={self.port}", f"listen_addresses={self.address}")
        options = " ".join(f"-c {setting}" for setting in (*where, *SETTINGS))
        self._run("pg_ctl", "start", "-w", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """Breaks every connection."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast")

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing answers at the address within the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def make(self) -> None:
        self._run("initdb", "--auth=trust", f"--username={NAME}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        with (self.folder / "data" / "pg_hba.conf").open("a", encoding="ascii") as rules:
            rules.write(f"host all all {self.address}/24 trust\n")

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as said:  # the server inherits it: a pipe would be waited for
            done = subprocess.run(
                [self.programs / program, "-D", str(self.folder / "data"), *arguments],
                cwd=self.folder,
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=120,
                check=False,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program} ended with {done.returncode}: {said.read().decode()}"


@contextmanager
def running_cluster(address: str = LOOPBACK) -> Iterator[Cluster]:
    """Skips where PostgreSQL is not installed, and fails there with `CI=true`.

    The address is this machine's own; whoever reaches it is trusted.
    """
    programs = _programs()
    if programs is None:
        reason = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="parlance-postgres-"))
    cluster = Cluster(folder, programs, address, free_port(), _somebody())
    try:
        if cluster.user is not None:
            shutil.chown(folder, cluster.user)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """The folder of the newest version's."""
    found = sorted(DEBIANS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _somebody() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
