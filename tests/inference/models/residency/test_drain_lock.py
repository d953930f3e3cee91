"""Who is let in, and who is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from inference.models.residency.drain_lock import DrainLock, DrainTimeout, ModelAsleep, ModelInUse, SwapCancelled
from inference.models.residency.plan import Group

CAPTIONS, SUMMARY = Group.TRANSCRIPTION, Group.SUMMARIZATION
LONG_S = 30.0


@pytest.fixture
def gate() -> DrainLock:
    gate = DrainLock()
    gate.open(CAPTIONS)
    return gate


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def never() -> bool:
    return False


class Stay:
    """Uses a model in another thread until told to leave."""

    def __init__(self, gate: DrainLock, threads: ThreadPoolExecutor, model: str = "asr") -> None:
        self.inside, self.leave = Event(), Event()
        self._gate, self._model = gate, model
        self.done = threads.submit(self._run)
        assert self.inside.wait(LONG_S)

    def _run(self) -> None:
        with self._gate.enter(CAPTIONS, self._model):
            self.inside.set()
            assert self.leave.wait(LONG_S)


def test_uses_are_counted_and_named(gate: DrainLock) -> None:
    with gate.enter(CAPTIONS, "translation"), gate.enter(CAPTIONS, "asr"), gate.enter(CAPTIONS, "asr"):
        assert gate.used(CAPTIONS) == ["asr", "translation"]
        assert gate.used(SUMMARY) == []
    assert gate.used(CAPTIONS) == []


def test_a_use_that_fails_is_over(gate: DrainLock) -> None:
    with pytest.raises(KeyError), gate.enter(CAPTIONS, "asr"):
        raise KeyError
    gate.close(CAPTIONS, within_s=0.0, is_cancelled=never)


def test_a_closed_group_keeps_everybody_out_at_once(gate: DrainLock) -> None:
    gate.close(CAPTIONS, within_s=0.0, is_cancelled=never)
    with pytest.raises(ModelAsleep, match="asr"), gate.enter(CAPTIONS, "asr"):
        pass
    with gate.enter(Group.ALWAYS, "bridge"):
        assert gate.used(Group.ALWAYS) == ["bridge"]


def test_who_waits_is_let_in_when_the_group_opens(gate: DrainLock, threads: ThreadPoolExecutor) -> None:
    gate.close(CAPTIONS, within_s=0.0, is_cancelled=never)

    def wait() -> list[str]:
        with gate.enter(CAPTIONS, "asr", wait_s=LONG_S):
            return gate.used(CAPTIONS)

    waiting = threads.submit(wait)
    gate.open(CAPTIONS)
    assert waiting.result(LONG_S) == ["asr"]


def test_closing_waits_for_uses_under_way(gate: DrainLock, threads: ThreadPoolExecutor) -> None:
    first, second = Stay(gate, threads), Stay(gate, threads, "translation")
    closing = threads.submit(gate.close, CAPTIONS, within_s=LONG_S, is_cancelled=never)
    first.leave.set()
    first.done.result(LONG_S)
    assert not closing.done()
    second.leave.set()
    closing.result(LONG_S)
    assert not gate.is_open(CAPTIONS)


def test_closing_gives_up_after_its_time_and_leaves_the_group_open(
    gate: DrainLock, threads: ThreadPoolExecutor
) -> None:
    stay = Stay(gate, threads)
    with pytest.raises(DrainTimeout, match="asr"):
        gate.close(CAPTIONS, within_s=0.01, is_cancelled=never)
    with gate.enter(CAPTIONS, "translation"):
        assert gate.is_open(CAPTIONS)
    stay.leave.set()


def test_a_thread_cannot_wait_for_itself(gate: DrainLock) -> None:
    with gate.enter(CAPTIONS, "asr"):
        with pytest.raises(ModelInUse, match="asr") as refused:
            gate.close(CAPTIONS, within_s=LONG_S, is_cancelled=never)
        assert type(refused.value) is ModelInUse
        assert gate.is_open(CAPTIONS)


def test_a_thread_that_is_inside_may_finish_what_it_needs_others_of_the_group_for(
    gate: DrainLock, threads: ThreadPoolExecutor
) -> None:
    closing = None
    with gate.enter(CAPTIONS, "asr"):
        shut = Event()
        closing = threads.submit(gate.close, CAPTIONS, within_s=LONG_S, is_cancelled=lambda: shut.set() or False)  # type: ignore[func-returns-value]
        assert shut.wait(LONG_S)
        with gate.enter(CAPTIONS, "asr"), gate.enter(CAPTIONS, "translation"):
            assert gate.used(CAPTIONS) == ["asr", "translation"]
        with pytest.raises(ModelAsleep):
            threads.submit(lambda: gate.enter(CAPTIONS, "asr").__enter__()).result(LONG_S)
    closing.result(LONG_S)


def test_a_cancelled_closing_opens_the_group_again(gate: DrainLock, threads: ThreadPoolExecutor) -> None:
    stay, cancelled = Stay(gate, threads), Event()
    closing = threads.submit(gate.close, CAPTIONS, within_s=LONG_S, is_cancelled=cancelled.is_set)
    cancelled.set()
    gate.look_again()
    with pytest.raises(SwapCancelled):
        closing.result(LONG_S)
    assert gate.is_open(CAPTIONS)
    stay.leave.set()
