"""The second pass over a file for the command line: its captions, revised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from inference.speech.engine import Engine
from inference.speech.revision import Line, Revision, new_segment, revised_parts
from inference.speech.second_pass import Piece, SecondPass, SpokenLanguages, decode
from inference.speech.session import SessionConfig
from inference.types import FinalCaption


@dataclass(slots=True)
class _Channel:
    """One channel that is read again."""

    finals: list[FinalCaption]
    second_pass: SecondPass
    pieces: list[Piece] = field(default_factory=list)


def read_finals_again(
    blocks: Iterable[np.ndarray], finals: Sequence[tuple[int, FinalCaption]], config: SessionConfig, engine: Engine
) -> list[tuple[int, FinalCaption]]:
    """Return the captions of all channels in the order of time, revised by a second pass.

    `blocks`: float32, shape (n,) or (channels, n).
    """
    by_channel: dict[int, list[FinalCaption]] = defaultdict(list)
    for number, final in finals:
        by_channel[number].append(final)
    channels: list[_Channel] = []
    for block in map(np.atleast_2d, blocks):
        channels = channels or [_channel(by_channel[number], config) for number in range(len(block))]
        for channel, samples in zip(channels, block, strict=True):
            channel.second_pass.feed(samples)
            _read(channel, engine, until=engine.max_batch)
    for channel in channels:
        channel.second_pass.flush()
        _read(channel, engine, until=1)
    revised = [
        (number, final)
        for number, channel in enumerate(channels)
        for final in revised_finals(channel.finals, channel.pieces)
    ]
    return sorted(revised, key=lambda one: (one[1].start, one[0]))


def revised_finals(finals: Sequence[FinalCaption], pieces: Sequence[Piece]) -> list[FinalCaption]:
    """Return the captions with the words of the pieces, without those that lost theirs, and with new ones."""
    by_segment = {final.segment: final for final in finals}
    lines = [Line(one.segment, one.start, one.end, one.language, one.text, one.words) for one in finals]
    for revision in revised_parts(lines, pieces):
        segment = revision.line.segment if revision.line else new_segment(revision)
        by_segment[segment] = _final(segment, revision)
    return sorted((final for final in by_segment.values() if final.text), key=lambda final: final.start)


def _channel(finals: list[FinalCaption], config: SessionConfig) -> _Channel:
    languages = SpokenLanguages((final.start, final.end, final.language) for final in finals)
    return _Channel(finals, SecondPass(config, languages.at))


def _read(channel: _Channel, engine: Engine, *, until: int) -> None:
    """Decode in full batches until fewer than `until` requests wait."""
    while len(channel.second_pass.requests()) >= until:
        decode(channel.second_pass, engine.transcriber, at_once=engine.max_batch)
    channel.pieces += channel.second_pass.pieces()


def _final(segment: str, revision: Revision) -> FinalCaption:
    words = revision.words
    start, end = (words[0].start, words[-1].end) if words else (0.0, 0.0)
    return FinalCaption(segment, start, end, revision.text, revision.language, words)
