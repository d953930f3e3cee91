"""The bridge shows what is said meanwhile under the ids of the captions that follow, and changes nothing of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.speech.bridge import InterimTranscriber
from inference.speech.session import CaptionSession
from inference.speech.vad import VAD_WINDOW
from inference.types import FinalCaption, PartialCaption
from tests.inference.doubles import ScriptedTranscriber, sound
from tests.inference.speech.test_session import caption_at_once, decode, finals, open_session

AUDIO = sound((0, 40), (0.9, 60), (0, 40), (0.9, 90), (0, 40), (0.9, 30))
"""Two utterances that close, and one that goes on."""


def heard(bridge: InterimTranscriber[str], session: CaptionSession, audio: np.ndarray) -> list[PartialCaption]:
    bridge.follow("m", session, lambda position: audio[position : session.received])
    shown: list[PartialCaption] = []
    while partials := bridge.step():
        shown += partials["m"]
    return shown


@given(cuts=st.lists(st.integers(1, len(AUDIO) - 1), max_size=6, unique=True).map(sorted))
def test_what_is_shown_last_is_what_the_caption_will_be(cuts: list[int]) -> None:
    session, bridge = open_session(), InterimTranscriber[str](ScriptedTranscriber())
    shown: dict[str, PartialCaption] = {}
    for first, last in zip([0, *cuts], [*cuts, len(AUDIO)], strict=True):
        session.feed(AUDIO[first:last])
        shown |= {partial.segment: partial for partial in heard(bridge, session, AUDIO)}
    written = [(final.segment, final.start, final.text) for final in closed(session)]
    told = [(partial.segment, partial.start, partial.text) for partial in shown.values()]
    assert told[: len(written)] == written
    assert [partial.provisional for partial in shown.values()] == [True] * 3


def test_the_captions_are_those_of_an_undisturbed_meeting() -> None:
    session, bridge = open_session(), InterimTranscriber[str](ScriptedTranscriber())
    session.feed(AUDIO[: 80 * VAD_WINDOW])
    decode(session, live=True)
    session.feed(AUDIO[80 * VAD_WINDOW :])
    heard(bridge, session, AUDIO)
    bridge.end()
    session.flush()
    assert finals(decode(session)) == caption_at_once(AUDIO)


def test_the_next_swap_begins_where_the_meeting_then_is() -> None:
    session, bridge = open_session(), InterimTranscriber[str](ScriptedTranscriber())
    session.feed(AUDIO[: 140 * VAD_WINDOW])
    assert segments(heard(bridge, session, AUDIO)) == segments(closed(session))
    bridge.end()
    session.feed(AUDIO[140 * VAD_WINDOW : 250 * VAD_WINDOW])
    assert segments(heard(bridge, session, AUDIO)) == segments(closed(session))


def segments(captions: Sequence[FinalCaption | PartialCaption]) -> set[str]:
    return {caption.segment for caption in captions}


def closed(session: CaptionSession) -> list[FinalCaption]:
    """Decodes them, as the models do that come back."""
    return finals(decode(session))
