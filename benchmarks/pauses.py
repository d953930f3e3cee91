"""The cost of a summary during speech, from a viewer's messages: time without text, and speed of catching up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.live import Message

Told = tuple[float, Message]
"""A message and its arrival as `time.monotonic`."""


class NoPause(ValueError):
    """The messages lack a complete pause: announced, catching up, live."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One summary as seen by viewers, in seconds."""

    announced_s: float
    """From the host's request to the notice, including loading next to the captions and waiting for a pause."""
    away_s: float
    """From the notice to "catching up", the time that captions were paused."""
    until_live_s: float
    """From the notice to "live"."""
    dead_air_s: float
    """The longest time without any new text, including provisional text."""
    without_captions_s: float
    """The same without provisional text: from the last caption before to the first caption after."""
    slowest_final_s: float
    """The longest time from the end of an utterance to its final."""
    backlog_s: float
    """Audio without captions when the models were back."""
    caught_up_s: float
    """Time to caption that audio."""

    @property
    def catch_up_rate(self) -> float:
        """Audio seconds per second; 0 if there was no backlog."""
        return self.backlog_s / self.caught_up_s if self.caught_up_s else 0.0


def pause_after(asked: float, told: Sequence[Told], *, started: float) -> Pause:
    """Return the first pause after the time `asked`; the sample at second s of the meeting was spoken at `started` + s.

    Raises:
        NoPause: there is no pause, or it is incomplete.
    """
    notice = _notice("summarizing", told, after=asked)
    back = _notice("catching_up", told, after=notice)
    live = _notice("live", told, after=back)
    finals = first_finals(told)
    backlog_s, caught_up_s = _backlog(finals, back=back, started=started)
    return Pause(
        announced_s=notice - asked,
        away_s=back - notice,
        until_live_s=live - notice,
        dead_air_s=longest_gap(_texts(told, provisional=True), asked, live),
        without_captions_s=longest_gap(_texts(told, provisional=False), asked, live),
        slowest_final_s=max((at - started - end for at, end in finals if asked <= at <= live), default=0.0),
        backlog_s=backlog_s,
        caught_up_s=caught_up_s,
    )


def longest_gap(times: Sequence[float], start: float, end: float) -> float:
    """Return the longest gap between two of `times` (ascending) that overlaps `start` to `end`."""
    return max((after - before for before, after in pairwise(times) if after > start and before < end), default=0.0)


def first_finals(told: Sequence[Told]) -> list[tuple[float, float]]:
    """Return arrival and end (in meeting seconds) of each utterance's final; later revisions are not new text."""
    finals: dict[str, tuple[float, float]] = {}
    for at, message in told:
        if message["type"] == "caption":
            finals.setdefault(message["segment"], (at, message["end"]))
    return list(finals.values())


def _notice(state: str, told: Sequence[Told], *, after: float) -> float:
    times = (at for at, message in told if at >= after and message["type"] == "notice" and message["state"] == state)
    found = next(times, None)
    if found is None:
        raise NoPause(f"Nobody was told {state!r}.")
    return found


def _texts(told: Sequence[Told], *, provisional: bool) -> list[float]:
    partials = [
        at
        for at, message in told
        if message["type"] == "partial" and (provisional or not message.get("provisional", False))
    ]
    return sorted([*partials, *(at for at, _ in first_finals(told))])


def _backlog(finals: Sequence[tuple[float, float]], *, back: float, started: float) -> tuple[float, float]:
    """Return the audio seconds between the last final before `back` and the last utterance that had ended by then, and
    how long after `back` that utterance's final arrived.
    """
    captioned = max((end for at, end in finals if at <= back), default=0.0)
    waiting = [(at, end) for at, end in finals if at > back and captioned < end <= back - started]
    if not waiting:
        return 0.0, 0.0
    return max(end for _, end in waiting) - captioned, max(at for at, _ in waiting) - back
