"""The scores that the tables are made of, on timelines small enough to score by hand."""

from __future__ import annotations

import pytest

from benchmarks.scoring import Screen, SpokenWord, score, word_errors, words_of
from benchmarks.statistics import percentile

SPOKEN = [SpokenWord("one", 1.0), SpokenWord("two", 2.0), SpokenWord("three", 3.0)]


def test_latencies_of_a_word_that_changes_on_the_way() -> None:
    timeline = [
        Screen(1.5, "", "one"),
        Screen(2.25, "", "one too"),
        Screen(3.5, "", "one two three"),
        Screen(5.0, "One two, three.", ""),
    ]
    scored = score(timeline, SPOKEN)
    assert scored.first == (0.5, 1.5, 0.5)
    assert scored.display == (0.5, 1.5, 0.5)
    assert scored.commit == (4.0, 3.0, 2.0)
    assert (scored.erased, scored.erasure) == (1, pytest.approx(1 / 3))
    assert (scored.errors, scored.reference_words, scored.final_words) == (0, 3, 3)


def test_a_word_that_vanishes_for_a_while_is_first_seen_early_and_displayed_late() -> None:
    timeline = [Screen(1.25, "", "one"), Screen(1.5, "", ""), Screen(4.0, "one two three", "")]
    scored = score(timeline, SPOKEN)
    assert scored.first == (0.25, 2.0, 1.0)
    assert scored.display == (3.0, 2.0, 1.0)
    assert scored.erased == 1


def test_a_word_that_was_not_said_counts_as_an_error_and_has_no_latency() -> None:
    scored = score([Screen(4.0, "one or three", "")], SPOKEN)
    assert scored.display == (3.0, 1.0)
    assert scored.word_error_rate == pytest.approx(1 / 3)


def test_nothing_understood() -> None:
    scored = score([Screen(0.0, "", "")], SPOKEN)
    assert (scored.errors, scored.final_words, scored.first, scored.erasure) == (3, 0, (), 0.0)


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words_of("It's 50% “Élan” — x_y") == ["it's", "50", "percent", "élan", "x", "y"]


def test_word_errors_counts_all_three_kinds() -> None:
    assert word_errors(list("abcd"), list("axcde")) == 2
    assert word_errors(list("ab"), []) == 2


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([4.0, 1.0, 3.0, 2.0], percent) for percent in (0, 50, 95, 100)] == [1.0, 3.0, 4.0, 4.0]
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)
