"""What a summary in mid-speech costs, from a viewer's messages: how long no text came, how fast the rest followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.live import Message

Told = tuple[float, Message]
"""A message and `time.monotonic` at its arrival."""


class NoPause(ValueError):
    """The messages hold no whole pause: announced, catching up, live."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One summary, as people saw it. Seconds."""

    announced_s: float
    """From the host's asking to the notice: loading beside the captions, and waiting for a breath, included."""
    away_s: float
    """From the notice to "catching up": captions had made room all that time."""
    until_live_s: float
    """From the notice to "live"."""
    dead_air_s: float
    """The longest time without any new text, provisional text included."""
    without_captions_s: float
    """The same, provisional text left out: last caption before to first caption after."""
    slowest_final_s: float
    """From the end of an utterance to its final, the slowest."""
    backlog_s: float
    """Audio said and not captioned when the models were back."""
    caught_up_s: float
    """How long that took then."""

    @property
    def catch_up_rate(self) -> float:
        """Audio seconds a second; 0 where nothing had to be caught up."""
        return self.backlog_s / self.caught_up_s if self.caught_up_s else 0.0


def pause_after(asked: float, told: Sequence[Told], *, started: float) -> Pause:
    """The first pause after the moment `asked`; the sample at second s of the meeting was spoken at `started` + s.

    Raises:
        NoPause: it is not there, or not whole.
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
    """The longest time between two of `times` (ascending) of which some lies between `start` and `end`."""
    return max((after - before for before, after in pairwise(times) if after > start and before < end), default=0.0)


def first_finals(told: Sequence[Told]) -> list[tuple[float, float]]:
    """Arrival and end (seconds of the meeting) of each utterance's final; later revisions of it are no new text."""
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
    """Seconds of audio between the last final before `back` and the last utterance that had ended by then; and how long
    after `back` that one's final came."""
    captioned = max((end for at, end in finals if at <= back), default=0.0)
    waiting = [(at, end) for at, end in finals if at > back and captioned < end <= back - started]
    if not waiting:
        return 0.0, 0.0
    return max(end for _, end in waiting) - captioned, max(at for at, _ in waiting) - back
