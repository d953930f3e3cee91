"""A second host for tests: a network namespace, and the one link between it and this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.faults.privileges import Capability, require, run

NAMESPACE = "parlance-far"
HERE, FAR = "10.203.77.1", "10.203.77.2"
"""Addresses of the two ends; nothing else is reached by them."""

LINK = "parlance-near"


@dataclass(frozen=True, slots=True)
class FarHost:
    """Sees this machine at `HERE` alone."""

    prefix: tuple[str, ...] = ("ip", "netns", "exec", NAMESPACE)
    """Of a command that is to run there."""

    def cut(self) -> None:
        """As if somebody had pulled the cable: what is under way is lost, and nobody is told."""
        run("ip", "link", "set", LINK, "down")

    def mend(self) -> None:
        run("ip", "link", "set", LINK, "up")


@contextmanager
def far_host() -> Iterator[FarHost]:
    require("a second host in a network namespace", Capability.NET_ADMIN, Capability.SYS_ADMIN)
    with suppress(AssertionError):
        run("ip", "netns", "delete", NAMESPACE)  # of a run that was killed
    run("ip", "netns", "add", NAMESPACE)
    try:
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        run("ip", "address", "add", f"{HERE}/24", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        run("ip", "-n", NAMESPACE, "address", "add", f"{FAR}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", NAMESPACE, "link", "set", device, "up")
        yield FarHost()
    finally:
        run("ip", "netns", "delete", NAMESPACE)
