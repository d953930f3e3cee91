from __future__ import annotations

from inference.speech.hypothesis import HypothesisBuffer, LivePolicy
from tests.inference.doubles import word

POLICY = LivePolicy(fresh=0.4, sure=0.3, surer=0.2)
GOOD = word("Good", 0.1, end=0.5)
MORNING = word("morning", 0.5, end=0.9)
ALL = word("all", 0.9, end=1.1)


def test_unsure_words_at_the_end_are_shown_when_they_are_older_or_decoded_twice() -> None:
    heard = [GOOD, word("mourning", 0.5, end=0.9, probability=0.2), ALL]
    assert HypothesisBuffer(POLICY).update(heard, audio_end=1.4) == "Good mourning all"
    buffer = HypothesisBuffer(POLICY)
    assert buffer.update(heard, audio_end=1.2) == "Good"
    assert buffer.update(heard, audio_end=1.2) == "Good mourning all"


def test_a_decode_without_words_leaves_nothing_to_show() -> None:
    buffer = HypothesisBuffer(POLICY, [GOOD])
    assert buffer.update([], audio_end=2.0) == ""


def test_case_and_punctuation_alone_change_nothing_on_the_screen() -> None:
    buffer = HypothesisBuffer(POLICY, [GOOD, MORNING])
    assert buffer.update([word("good,", 0.1), word("Morning", 0.5), ALL], audio_end=2.0) == "Good morning all"


def test_a_word_stays_unless_another_one_is_surer() -> None:
    buffer = HypothesisBuffer(POLICY, [word("Good", 0.1, probability=0.6), MORNING])
    assert buffer.update([word("Could", 0.1, probability=0.7), MORNING], audio_end=2.0) == "Good morning"
    assert buffer.update([word("Could", 0.1, probability=0.9), MORNING], audio_end=2.0) == "Could morning"


def test_sealed_words_move_no_more() -> None:
    buffer = HypothesisBuffer(POLICY, [GOOD, MORNING, ALL])
    buffer.seal(0.55)
    assert buffer.text == "morning all"


def test_after_a_cut_the_words_behind_it_begin_the_next_utterance() -> None:
    rest = HypothesisBuffer(POLICY, [GOOD, MORNING, ALL]).after(0.5)
    assert rest.text == "morning all"
    assert rest.after(0.8).text == "all"
