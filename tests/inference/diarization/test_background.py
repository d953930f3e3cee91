from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, active_count

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.diarization.background import AHEAD, BackgroundDiarization
from inference.diarization.local_speakers import LocalVoice
from inference.diarization.recording import RECORDING_STEP, diarize_recording
from inference.diarization.turns import SpeakerTurn
from tests.inference.diarization.doubles import ScriptedListener, clock

SCRIPT = (SpeakerTurn(1.0, 6.0, "S1"), SpeakerTurn(7.5, 12.0, "S2"), SpeakerTurn(15.0, 21.0, "S1"))


class Broken(RuntimeError):
    """What the listener of a test raises."""


class BrokenListener:
    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        raise Broken


class WaitingListener:
    """Hears nobody, and not before it may."""

    def __init__(self) -> None:
        self.may_go_on = Event()

    def listen(self, audio: np.ndarray) -> tuple[LocalVoice, ...]:
        self.may_go_on.wait()
        return ()


def seconds(count: int) -> Iterator[np.ndarray]:
    return (np.zeros(SAMPLE_RATE, np.float32) for _ in range(count))


def test_both_hear_the_same_audio() -> None:
    blocks = np.array_split(clock(23.3), 24)
    with BackgroundDiarization(ScriptedListener(SCRIPT)) as background:
        passed = list(background.overhear(blocks))
        turns, spent_s = background.turns()
    assert [block is original for block, original in zip(passed, blocks, strict=True)] == [True] * len(blocks)
    assert turns == diarize_recording(blocks, ScriptedListener(SCRIPT)) == SCRIPT
    assert spent_s >= 0.0


def test_recognition_waits_when_it_is_too_far_ahead() -> None:
    """Nobody listens until it has come to a stand, so that it can only have stood because it waited."""
    listener, passed = WaitingListener(), []
    with BackgroundDiarization(listener) as background, ThreadPoolExecutor(1) as recognition:
        done = recognition.submit(lambda: passed.extend(background.overhear(seconds(3 * AHEAD))))
        with pytest.raises(TimeoutError):
            done.result(timeout=1.0)
        # The pass holds what it has taken for its first window; the queue holds AHEAD more.
        stood_at, taken = len(passed), RECORDING_STEP // SAMPLE_RATE
        listener.may_go_on.set()
        done.result()
        assert background.turns()[0] == ()
    assert stood_at <= AHEAD + taken + 1
    assert len(passed) == 3 * AHEAD
    assert background.held_up_s > 0.0


def test_what_the_pass_raises_reaches_the_caller_and_holds_up_nobody() -> None:
    with BackgroundDiarization(BrokenListener()) as background:
        assert len(list(background.overhear(seconds(2 * AHEAD)))) == 2 * AHEAD
        with pytest.raises(Broken):
            background.turns()


def test_leaving_early_ends_the_thread() -> None:
    before = active_count()
    with BackgroundDiarization(ScriptedListener(SCRIPT)) as background:
        next(background.overhear(np.array_split(clock(23.3), 24)))
        assert active_count() == before + 1
    assert active_count() == before
