"""The promise of the module: finals are a pure function of the audio, whatever the timing, the load and the crashes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodedWord, DecodeRequest, Hypothesis
from inference.speech.endpointing import EndpointPolicy
from inference.speech.hypothesis import LivePolicy
from inference.speech.language_id import choose_language
from inference.speech.resume_state import Checkpoint
from inference.speech.sealing import SealPolicy
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.vad import VAD_WINDOW
from inference.types import CaptionEvent, FinalCaption, LanguageHeard, PartialCaption, Progress
from tests.inference.doubles import ScriptedDetector, ScriptedTranscriber, hypothesis, sound, word

ENGLISH = SessionConfig("en")
ENDPOINTING = EndpointPolicy(pauses=((1.0, 0.8), (4.0, 0.3)), cap=6.0, cap_search=2.0)
LIVE = LivePolicy(first=0.5, step=0.5, step_cost=0.0)
SEALING = SealPolicy(first=2.0, step=0.8, hold_back=0.5, context=1.0)


def open_session(
    config: SessionConfig = ENGLISH, checkpoint: str | None = None, *, sealing: SealPolicy | None = None
) -> CaptionSession:
    detector = ScriptedDetector()
    return CaptionSession(config, checkpoint, detector=detector, endpointing=ENDPOINTING, live=LIVE, sealing=sealing)


def decode(session: CaptionSession, *, live: bool = False) -> list[CaptionEvent]:
    """Everything that is due."""
    events: list[CaptionEvent] = []
    while requests := session.requests(live=live):
        for request, heard in zip(requests, ScriptedTranscriber().transcribe(requests), strict=True):
            events += session.accept(request, heard)
    return events


def caption_at_once(samples: np.ndarray) -> list[FinalCaption]:
    session = open_session()
    session.feed(samples)
    session.flush()
    return finals(decode(session))


def finals(events: list[CaptionEvent]) -> list[FinalCaption]:
    return [event for event in events if isinstance(event, FinalCaption) and not event.is_open]


def open_captions(events: list[CaptionEvent]) -> list[FinalCaption]:
    return [event for event in events if isinstance(event, FinalCaption) and event.is_open]


def progresses(events: list[CaptionEvent]) -> list[Progress]:
    return [event for event in events if isinstance(event, Progress)]


def test_an_utterance_becomes_one_final_and_progress() -> None:
    session = open_session()
    session.feed(sound((0, 40), (0.9, 60), (0, 40)))
    final, progress = decode(session)
    assert isinstance(final, FinalCaption)
    assert isinstance(progress, Progress)
    assert (final.segment, final.start) == (f"{40 * VAD_WINDOW - 4800:012d}", 1.18)
    assert final.words[0].start == final.start
    assert progress.position == session.position
    assert 100 * VAD_WINDOW < progress.position <= 140 * VAD_WINDOW


def test_silence_brings_no_request_and_progress_every_ten_seconds() -> None:
    session = open_session()
    seconds = []
    for _ in range(35):
        session.feed(np.zeros(32 * VAD_WINDOW, np.float32))
        assert session.requests(live=True) == []
        if progress := session.progress():
            seconds.append(progress.position / SAMPLE_RATE)
    assert seconds == [10.24, 20.48, 30.72]


def test_memory_is_bounded_by_the_pre_roll_in_silence() -> None:
    session = open_session()
    for _ in range(60):
        session.feed(np.zeros(SAMPLE_RATE, np.float32))
    assert session.received - session._buffer.start <= 0.3 * SAMPLE_RATE + VAD_WINDOW


def test_after_a_flush_all_that_was_received_is_captioned() -> None:
    session = open_session()
    session.feed(sound((0.9, 50))[:-100])
    session.flush()
    assert session.progress() is None
    assert progresses(decode(session))[-1].position == session.received == 50 * VAD_WINDOW - 100
    assert session.progress() is None


def test_a_flush_in_silence_is_progress_at_once() -> None:
    session = open_session()
    session.feed(np.zeros(5000, np.float32))
    session.flush()
    progress = session.progress()
    assert progress is not None
    assert progress.position == 5000


def test_live_text_comes_in_steps_and_ends_with_the_final() -> None:
    session = open_session()
    events: list[CaptionEvent] = []
    samples = sound((0.9, 63), (0, 40))
    for start in range(0, len(samples), 1600):
        session.feed(samples[start : start + 1600])
        events += decode(session, live=True)
    partials = [event for event in events if isinstance(event, PartialCaption)]
    assert [len(partial.text.split()) for partial in partials] == [2, 4, 6, 8]
    assert {partial.segment for partial in partials} == {finals(events)[0].segment}


def test_a_breath_is_used_to_show_all_that_was_said() -> None:
    session = open_session()
    session.feed(sound((0.9, 35)))
    assert len(session.requests(live=True)) == 1
    session.feed(sound((0.9, 6)))
    assert session.requests(live=True) == []
    session.feed(sound((0, 4)))
    assert len(session.requests(live=True)) == 1
    session.feed(sound((0, 15)))
    assert session.requests(live=True) == []


def test_after_a_cut_the_live_text_goes_on_in_the_next_segment() -> None:
    session = open_session()
    session.feed(sound((0.9, 180)))
    (live,) = session.requests(live=True)
    words = [word(f"w{place}", place * 0.5, end=place * 0.5 + 0.4) for place in range(11)]
    session.accept(live, hypothesis(words))
    session.feed(sound((0.9, 10)))
    (request,) = session.requests(live=True)
    final, progress, partial = session.accept(request, hypothesis(words[:3]))
    assert isinstance(final, FinalCaption)
    assert isinstance(partial, PartialCaption)
    assert isinstance(progress, Progress)
    cut_s = len(request.audio) / SAMPLE_RATE
    assert int(partial.segment) == progress.position == len(request.audio)
    assert partial.text.split() == [word.spelling.strip() for word in words if word.start >= cut_s]


def test_live_text_of_a_closed_utterance_is_dropped() -> None:
    session = open_session()
    session.feed(sound((0.9, 40)))
    (live,) = session.requests(live=True)
    session.feed(sound((0, 40)))
    assert session.accept(live, hypothesis([word("late", 0.1)])) == []


def test_finals_go_before_live_text() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40), (0.9, 40)))
    assert [request.kind for request in session.requests(live=True)] == ["final"]


def test_finals_accepted_out_of_order_come_out_in_order() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40), (0.9, 40), (0, 40)))
    first, second = session.requests(live=False)
    assert session.accept(second, hypothesis([word("second", 0.1)])) == []
    assert [final.text for final in finals(session.accept(first, hypothesis([word("first", 0.1)])))] == [
        "first",
        "second",
    ]


def test_a_final_that_nobody_asked_for_is_refused() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40)))
    (request,) = session.requests(live=False)
    session.accept(request, hypothesis([word("once", 0.1)]))
    with pytest.raises(ValueError, match="no final decode of 0 is waited for"):
        session.accept(request, hypothesis([word("twice", 0.1)]))


def test_a_doubtful_final_is_decoded_again_with_care() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40)))
    (request,) = session.requests(live=False)
    assert session.accept(request, hypothesis([word("loop", 0.1 * place) for place in range(9)])) == []
    (again,) = session.requests(live=True)
    assert (again.kind, again.start) == ("careful", request.start)
    assert [final.text for final in finals(session.accept(again, hypothesis([word("said", 0.1)])))] == ["said"]


def test_what_stays_doubtful_is_dropped() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40)))
    loop = hypothesis([word("loop", 0.1 * place) for place in range(9)])
    session.accept(session.requests(live=False)[0], loop)
    assert [type(event) for event in session.accept(session.requests(live=False)[0], loop)] == [Progress]


def test_a_rejected_final_still_is_progress() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40)))
    (request,) = session.requests(live=False)
    events = session.accept(request, hypothesis([word("you", 0.1)], no_speech=0.9, mean_log_probability=-1.2))
    assert [type(event) for event in events] == [Progress]


def test_vocabulary_and_language_reach_the_request() -> None:
    session = open_session(SessionConfig("pt", vocabulary=("Lobster Newberg",)))
    session.feed(sound((0.9, 40), (0, 40)))
    (request,) = session.requests(live=False)
    assert (request.language, request.vocabulary) == ("pt", ("Lobster Newberg",))


def test_what_an_utterance_sounds_like_is_told_beside_its_final_and_only_there() -> None:
    session = open_session()
    session.feed(sound((0.9, 60), (0, 40), (0.9, 60), (0, 40)))
    first, second = session.requests(live=False)
    told = replace(hypothesis([word("olá", 0.0)]), detected=("pt", 0.97))
    final, heard, _ = session.accept(first, told)
    assert isinstance(final, FinalCaption)
    assert heard == LanguageHeard(final.segment, "pt", 0.97)
    refused = replace(told, words=())
    assert [type(event) for event in session.accept(second, refused)] == [Progress]


def detected(text: str, language: str, **ranking: float) -> Hypothesis:
    """A hypothesis in `language` of audio that sounds like `ranking`."""
    pairs = tuple(sorted(ranking.items(), key=lambda pair: -pair[1]))
    return replace(hypothesis([word(text, 0.1)], language=language), ranking=pairs)


def test_languages_heard_are_expected_of_the_next_utterance_and_resumed() -> None:
    session = open_session(SessionConfig(None, allowed=("en", "pt")))
    speech = sound((0.9, 40), (0, 40))
    session.feed(speech)
    session.feed(speech)
    first, _ = session.requests(live=False)
    assert (first.heard, first.allowed) == ({}, ("en", "pt"))
    (progress,) = progresses(session.accept(first, detected("olá", "pt", pt=0.98, en=0.02)))
    (second,) = session.requests(live=False)
    assert second.heard["pt"] > 0.7
    resumed = open_session(SessionConfig(None, allowed=("en", "pt")), progress.checkpoint)
    resumed.feed(session_audio(resumed, speech))
    resumed.flush()
    assert [request.heard for request in resumed.requests(live=False)] == [second.heard]


def session_audio(session: CaptionSession, speech: np.ndarray) -> np.ndarray:
    """What was said twice, from where the session goes on."""
    return np.concatenate((speech, speech))[session.audio_from :]


def test_a_checkpoint_of_an_earlier_version_knows_the_last_language() -> None:
    stored = json.loads(Checkpoint.at(0).dumps())
    del stored["heard"]
    session = open_session(SessionConfig(None), json.dumps({**stored, "language": "pt"}))
    session.feed(sound((0.9, 40), (0, 40)))
    assert [request.heard for request in session.requests(live=False)] == [{"pt": 1.0}]


def test_an_utterance_that_was_decoded_too_early_in_another_language_is_decoded_again() -> None:
    session = open_session(SessionConfig(None))
    session.feed(sound((0.9, 40), (0, 40), (0.9, 40), (0, 40)))
    first, second = session.requests(live=False)
    unsure = {"es": 0.5, "pt": 0.4}
    assert session.accept(second, detected("ola", "es", **unsure)) == []
    events = session.accept(first, detected("olá", "pt", pt=0.99))
    assert [final.language for final in finals(events)] == ["pt"]
    (again,) = session.requests(live=False)
    assert (again.start, again.kind) == (second.start, "final")
    assert [final.language for final in finals(session.accept(again, detected("olá", "pt", **unsure)))] == ["pt"]


def test_a_sure_utterance_stands_whatever_was_spoken_before() -> None:
    session = open_session(SessionConfig(None, allowed=("en", "pt")))
    session.feed(sound((0.9, 40), (0, 40), (0.9, 130), (0, 40)))
    first, second = session.requests(live=False)
    session.accept(second, detected("yes", "en", en=0.99, pt=0.01))
    events = session.accept(first, detected("olá", "pt", pt=0.99, en=0.01))
    assert [final.language for final in finals(events)] == ["pt", "en"]


def test_settings_hold_for_utterances_that_close_after_them() -> None:
    session = open_session()
    session.feed(sound((0.9, 40), (0, 40)))
    session.configure(SessionConfig("pt"))
    session.feed(sound((0.9, 40), (0, 40)))
    assert [request.language for request in session.requests(live=False)[:1]] == ["en"]
    assert [request.language for request in session.requests(live=False)] == ["en", "pt"]


class UnsureTranscriber(ScriptedTranscriber):
    """Hears one of three languages, by the audio, more or less surely; doubts some of its own answers.

    The words tell the language they were written down in, so that a wrong one is noticed.
    """

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        return [self._heard(request) for request in requests]

    def _heard(self, request: DecodeRequest) -> Hypothesis:
        mood = zlib.crc32(request.audio.tobytes())
        best, *others = np.roll(("en", "pt", "es"), mood // 2).tolist()
        share = 0.4 if mood % 2 == 0 else 0.98
        ranking = ((best, share), *((other, (1 - share) / 2) for other in others))
        language = choose_language(request, ranking)[0]
        is_doubtful = request.kind == "final" and (mood // 6 + len(language) + ord(language[0])) % 3 == 0
        return replace(
            hypothesis([word(f"{request.kind}-{language}", 0.1)], language=language),
            ranking=ranking,
            mean_log_probability=-2.0 if is_doubtful else -0.2,
        )


def caption_unsure(samples: np.ndarray, *, at_once: int) -> list[FinalCaption]:
    session, transcriber = open_session(SessionConfig(None)), UnsureTranscriber()
    session.feed(samples)
    session.flush()
    found: list[CaptionEvent] = []
    while requests := session.requests(live=False)[:at_once]:
        for request, heard in zip(requests, transcriber.transcribe(requests), strict=True):
            found += session.accept(request, heard)
    return finals(found)


@given(seed=st.integers(0, 10_000), at_once=st.integers(2, 9))
def test_detected_languages_do_not_depend_on_what_is_decoded_together(seed: int, at_once: int) -> None:
    samples = sound(*((0.9, 20), (0, 40)) * 8, seed=seed)
    assert caption_unsure(samples, at_once=at_once) == caption_unsure(samples, at_once=1)


# -- properties -------------------------------------------------------------------------------------------------------

scripts = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.3, 0.45, 0.6, 0.95]), st.integers(1, 90)), min_size=1, max_size=14
)


@dataclass
class Meeting:
    """Audio, the places where the host paused, and those where sealing ended and began again, in turn."""

    samples: np.ndarray
    pauses: list[int] = field(default_factory=list)
    toggles: list[int] = field(default_factory=list)


@st.composite
def meetings(draw: st.DrawFn) -> Meeting:
    samples = sound(*draw(scripts), seed=draw(st.integers(0, 3)))
    pauses = draw(st.lists(st.integers(1, len(samples)), max_size=3))
    toggles = draw(st.lists(st.integers(1, len(samples)), max_size=3))
    return Meeting(samples, sorted({*pauses, len(samples)}), sorted(set(toggles)))


def play(session: CaptionSession, meeting: Meeting, data: st.DataObject | None = None) -> list[CaptionEvent]:
    """Feeds the meeting from where the session wants it, in pieces and with live decodes as drawn."""
    events: list[CaptionEvent] = []
    for pause in meeting.pauses:
        if pause < session.position:
            continue
        while (position := session.received) < pause:
            if position in meeting.toggles:
                session.seal(is_on=meeting.toggles.index(position) % 2 == 1)
            size = data.draw(st.integers(1, 40_000)) if data else pause - position
            end = min(place for place in (pause, position + size, *meeting.toggles) if place > position)
            session.feed(meeting.samples[position:end])
            if data and data.draw(st.booleans()):
                events += decode(session, live=data.draw(st.booleans()))
        session.flush()
    events += decode(session)
    return events


sealings = st.sampled_from([None, SEALING])


@settings(max_examples=60, deadline=None)
@given(meetings(), st.data(), sealings)
def test_finals_do_not_depend_on_chunks_or_live_decodes(
    meeting: Meeting, data: st.DataObject, sealing: SealPolicy | None
) -> None:
    chunked = play(open_session(sealing=sealing), meeting, data)
    assert finals(chunked) == finals(play(open_session(sealing=sealing), meeting))


@settings(max_examples=60, deadline=None)
@given(meetings(), st.data(), sealings)
def test_finals_do_not_depend_on_where_a_crash_fell(
    meeting: Meeting, data: st.DataObject, sealing: SealPolicy | None
) -> None:
    events = play(open_session(sealing=sealing), meeting, data)
    checkpoints = [(place, event) for place, event in enumerate(events) if isinstance(event, Progress)]
    if not checkpoints:
        assert finals(events) == []
        return
    place, progress = data.draw(st.sampled_from(checkpoints))
    resumed = open_session(checkpoint=progress.checkpoint, sealing=sealing)
    assert resumed.audio_from <= resumed.position == progress.position
    resumed_events = play(resumed, meeting)
    assert finals(resumed_events) == finals(events[place:])
    assert progresses(resumed_events)[-1:] == progresses(events[place + 1 :])[-1:]


@settings(max_examples=60, deadline=None)
@given(meetings(), st.data())
def test_sealed_words_only_grow_however_the_audio_comes(meeting: Meeting, data: st.DataObject) -> None:
    one = by_segment(open_captions(play(open_session(sealing=SEALING), meeting, data)))
    other = by_segment(open_captions(play(open_session(sealing=SEALING), meeting)))
    for captions in (one, other):
        for grown in captions.values():
            for before, after in pairwise(grown):
                assert len(before.words) < len(after.words)
                assert after.words[: len(before.words)] == before.words
    for segment in one.keys() & other.keys():
        assert one[segment][-1] == other[segment][-1]


def by_segment(captions: list[FinalCaption]) -> dict[str, list[FinalCaption]]:
    found: dict[str, list[FinalCaption]] = {}
    for caption in captions:
        found.setdefault(caption.segment, []).append(caption)
    return found


@settings(max_examples=60, deadline=None)
@given(meetings())
def test_ids_and_times_rise(meeting: Meeting) -> None:
    captions = finals(play(open_session(), meeting))
    assert [caption.segment for caption in captions] == sorted({caption.segment for caption in captions})
    assert [caption.start for caption in captions] == sorted(caption.start for caption in captions)


# -- sealed words -----------------------------------------------------------------------------------------------------


def said(count: int, *, at: float = 0.0, probability: float = 0.9) -> list[DecodedWord]:
    """A word each half second from `at` on, named after its place, 0.4 s long."""
    return [
        word(f"w{at + place / 2:g}", place / 2, end=place / 2 + 0.4, probability=probability) for place in range(count)
    ]


def sealing_session() -> CaptionSession:
    """A session with one tick waiting: 2 s of speech are decoded from its start."""
    session = open_session(sealing=SEALING)
    session.feed(sound((0.9, 65)))
    return session


def test_words_that_end_well_before_a_tick_are_sealed_and_the_rest_moves() -> None:
    session = sealing_session()
    (tick,) = session.requests(live=True)
    assert (tick.kind, tick.utterance, len(tick.audio)) == ("seal", 0, 62 * VAD_WINDOW)
    caption, rest = session.accept(tick, hypothesis(said(4)))
    assert isinstance(caption, FinalCaption)
    assert (caption.text, caption.is_open, caption.end) == ("w0 w0.5 w1", True, 1.4)
    assert session.captioned == round(1.4 * SAMPLE_RATE)
    session.feed(sound((0.9, 15)))
    (live,) = session.requests(live=True)
    (moved,) = session.accept(live, hypothesis([word("w1.5", 1.5), word("w2", 2.0)]))
    for partial, text in ((rest, "w1.5"), (moved, "w1.5 w2")):
        assert partial == PartialCaption(caption.segment, 1.4, text)


def test_the_decode_of_a_tick_begins_before_the_sealed_words() -> None:
    session = sealing_session()
    session.accept(*session.requests(live=False), hypothesis(said(4)))
    session.feed(sound((0.9, 30)))
    (tick,) = session.requests(live=False)
    assert tick.start == int(0.4 * SAMPLE_RATE) // VAD_WINDOW * VAD_WINDOW
    caption, _ = session.accept(tick, hypothesis(said(5, at=0.4)))
    assert isinstance(caption, FinalCaption)
    assert caption.text.startswith("w0 w0.5 w1 ")


def test_at_its_end_an_utterance_is_decoded_as_a_whole_and_only_surer_words_replace_sealed_ones() -> None:
    session = sealing_session()
    session.accept(*session.requests(live=False), hypothesis([*said(1), *said(3, probability=0.5)[1:]]))
    session.feed(sound((0, 40)))
    (request,) = session.requests(live=False)
    assert (request.kind, request.start) == ("final", 0)
    decoded = [word("x0", 0.0, end=0.4), word("x0.5", 0.5, end=0.9), *said(4)[2:]]
    (final, _) = session.accept(request, hypothesis(decoded))
    assert isinstance(final, FinalCaption)
    assert (final.text, final.is_open) == ("w0 x0.5 w1 w1.5", False)


def test_a_session_that_is_too_slow_waits_for_the_end_of_the_utterance() -> None:
    session = sealing_session()
    assert session.waiting_ticks == 1
    session.seal(is_on=False)
    session.feed(sound((0.9, 60), (0, 40)))
    assert session.waiting_ticks == 1
    events = decode(session)
    assert (len(open_captions(events)), len(finals(events))) == (1, 1)
    assert not Checkpoint.loads(progresses(events)[-1].checkpoint).is_sealing


def test_sealed_words_are_taken_back_if_nobody_spoke() -> None:
    session = sealing_session()
    session.accept(*session.requests(live=False), hypothesis(said(4)))
    session.feed(sound((0, 40)))
    (request,) = session.requests(live=False)
    events = session.accept(request, hypothesis(said(4), no_speech=0.9, mean_log_probability=-1.2))
    assert [(final.text, final.words, final.is_open) for final in finals(events)] == [("", (), False)]


def test_an_implausible_decode_seals_nothing() -> None:
    session = sealing_session()
    (tick,) = session.requests(live=False)
    assert session.accept(tick, hypothesis(said(4), no_speech=0.9, mean_log_probability=-1.2)) == []


def test_a_detected_language_is_sealed_only_when_it_is_sure_and_then_kept() -> None:
    session = open_session(SessionConfig(None), sealing=SEALING)
    session.feed(sound((0.9, 65)))
    (tick,) = session.requests(live=False)
    assert session.accept(tick, replace(hypothesis(said(4)), language_probability=0.6)) == []
    session.feed(sound((0.9, 30)))
    (tick,) = session.requests(live=False)
    (caption,) = session.accept(tick, replace(hypothesis(said(4), language="pt"), language_probability=0.97))
    assert isinstance(caption, FinalCaption)
    assert caption.language == "pt"
    session.feed(sound((0, 40)))
    assert [request.language for request in session.requests(live=False)] == ["pt"]


def test_requests_do_not_share_memory_with_the_buffer() -> None:
    session = open_session()
    session.feed(sound((0.9, 40)))
    (live,) = session.requests(live=True)
    before = live.audio.copy()
    session.feed(sound((0.9, 40), seed=1))
    assert isinstance(live, DecodeRequest)
    assert (live.audio == before).all()
