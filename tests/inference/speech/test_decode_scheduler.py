from __future__ import annotations

from inference.speech.decode_scheduler import DecodeScheduler
from inference.speech.endpointing import Endpointer, EndpointPolicy
from inference.speech.hypothesis import LivePolicy

POLICY = LivePolicy(first=0.32, step=0.64, step_cost=2.0, breath=0.096)
"""In windows of 32 ms: first 10, step 20, breath 3."""


def due_at(pace: DecodeScheduler, endpointer: Endpointer, probabilities: list[float]) -> list[int]:
    """The windows after which a live decode was due, and made."""
    found = []
    for probability in probabilities:
        endpointer.push(probability)
        if pace.is_due(endpointer):
            pace.asked(endpointer)
            found.append(endpointer.window)
    return found


def endpointer() -> Endpointer:
    return Endpointer(EndpointPolicy(pauses=((0.0, 2.0), (0.0, 2.0)), pre_roll=0.0))


def test_speech_is_decoded_in_steps() -> None:
    assert due_at(DecodeScheduler(POLICY), endpointer(), [0.9] * 60) == [10, 30, 50]


def test_silence_is_not() -> None:
    assert due_at(DecodeScheduler(POLICY), endpointer(), [0.0] * 60) == []


def test_a_breath_is_used_once() -> None:
    assert due_at(DecodeScheduler(POLICY), endpointer(), [0.9] * 15 + [0.0] * 40) == [10, 18]


def test_nothing_is_decoded_again_when_nothing_was_said_since() -> None:
    assert due_at(DecodeScheduler(POLICY), endpointer(), [0.9] * 10 + [0.0] * 40) == [10]


def test_slow_decodes_make_longer_steps() -> None:
    pace = DecodeScheduler(POLICY)
    pace.took(0.48)
    assert due_at(pace, endpointer(), [0.9] * 60) == [10, 40]


def test_the_next_utterance_begins_anew() -> None:
    pace = DecodeScheduler(POLICY)
    due_at(pace, endpointer(), [0.9] * 12)
    pace.begin()
    assert due_at(pace, endpointer(), [0.9] * 12) == [10]
