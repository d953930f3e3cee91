from __future__ import annotations

import pytest

from inference.speech.decoding import share_batches
from inference.speech.endpointing import EndpointPolicy
from inference.speech.engine import Engine, Timings
from inference.speech.hypothesis import LivePolicy
from inference.speech.sealing import SealPolicy
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.whisper import GPU_BATCH
from inference.types import FinalCaption, PartialCaption
from tests.inference.doubles import ScriptedDetector, ScriptedTranscriber, sound

ENDPOINTING = EndpointPolicy(pauses=((0.0, 0.32), (1.0, 0.32)))
LIVE = LivePolicy(first=0.5, step=0.5, step_cost=0.0)
SENTENCE = sound((0.9, 40), (0, 20))


def open_session(*, backlog: int = 0, speaking: bool = False) -> CaptionSession:
    session = CaptionSession(SessionConfig("en"), detector=ScriptedDetector(), endpointing=ENDPOINTING, live=LIVE)
    for _ in range(backlog):
        session.feed(SENTENCE)
    if speaking:
        session.feed(SENTENCE[:20_000])
    return session


def kinds(transcriber: ScriptedTranscriber) -> list[list[str]]:
    return [[request.kind for request in batch] for batch in transcriber.batches]


def test_nothing_to_do_is_nothing_said() -> None:
    assert Engine(ScriptedTranscriber()).step({"quiet": open_session()}) == {}
    assert Engine(ScriptedTranscriber()).step({}) == {}


def test_meetings_share_a_batch() -> None:
    transcriber = ScriptedTranscriber()
    events = Engine(transcriber).step({"a": open_session(speaking=True), "b": open_session(speaking=True)})
    assert kinds(transcriber) == [["live", "live"]]
    assert {key: [type(event) for event in found] for key, found in events.items()} == {
        "a": [PartialCaption],
        "b": [PartialCaption],
    }


def test_many_meetings_fill_the_batches_of_a_gpu_whatever_was_sealed_before() -> None:
    transcriber = ScriptedTranscriber()
    sessions = {}
    for meeting in range(24):
        session = CaptionSession(
            SessionConfig("en"), detector=ScriptedDetector(), endpointing=ENDPOINTING, live=LIVE, sealing=SealPolicy()
        )
        session.feed(sound((0.9, 50 + 2 * meeting), seed=meeting))
        sessions[meeting] = session
    engine = Engine(transcriber, max_batch=GPU_BATCH)
    while engine.step(sessions):
        pass
    sizes = [len(batch) for step in transcriber.batches for batch in share_batches(step, most=GPU_BATCH)]
    assert sizes == [10, 16]


def test_a_backlog_shares_the_batch_with_other_meetings() -> None:
    transcriber = ScriptedTranscriber()
    sessions = {"long": open_session(backlog=6), "short": open_session(backlog=1)}
    events = Engine(transcriber, max_batch=3).step(sessions)
    assert {key: sum(isinstance(event, FinalCaption) for event in found) for key, found in events.items()} == {
        "long": 2,
        "short": 1,
    }


def test_live_text_goes_between_two_batches_of_finals_but_not_for_who_is_behind() -> None:
    transcriber = ScriptedTranscriber()
    sessions = {"behind": open_session(backlog=3, speaking=True), "spoken": open_session(speaking=True)}
    engine = Engine(transcriber, max_batch=2)
    first, second, third, fourth = (set(engine.step(sessions)) for _ in range(4))
    assert kinds(transcriber) == [["final", "final"], ["live"], ["final"], ["live"]]
    assert (first, second, third, fourth) == ({"behind"}, {"spoken"}, {"behind"}, {"behind"})


def test_without_live_only_finals_are_decoded() -> None:
    transcriber = ScriptedTranscriber()
    sessions = {"a": open_session(backlog=1, speaking=True)}
    engine = Engine(transcriber)
    assert engine.step(sessions, live=False) != {}
    assert engine.step(sessions, live=False) == {}
    assert kinds(transcriber) == [["final"]]


def test_every_meeting_gets_its_turn_when_the_batch_is_too_small() -> None:
    sessions = {name: open_session(backlog=2) for name in "abc"}
    engine = Engine(ScriptedTranscriber(), max_batch=1)
    served = [next(iter(engine.step(sessions))) for _ in range(6)]
    assert sorted(served[:3]) == sorted(served[3:]) == ["a", "b", "c"]


def test_timings_count_what_was_decoded() -> None:
    engine = Engine(ScriptedTranscriber())
    engine.step({"a": open_session(backlog=2)})
    assert (engine.timings.steps, engine.timings.finals, engine.timings.lives) == (1, 2, 0)
    assert engine.timings.final_audio_s == pytest.approx(2 * 50 * 0.032, abs=0.5)


def test_real_time_factor_is_work_by_audio() -> None:
    assert Timings(compute_s=3.0, final_audio_s=60.0).rtf == pytest.approx(0.05)
    assert Timings().rtf == 0.0
