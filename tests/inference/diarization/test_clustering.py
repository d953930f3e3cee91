from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.diarization import clustering
from inference.diarization.clustering import (
    FOUNDING_S,
    SpeakerHint,
    SpeakerRegistry,
    cluster_windows,
    match_voices,
)
from inference.diarization.local_speakers import LocalVoice
from inference.diarization.turns import NO_SPEAKER
from tests.inference.diarization.doubles import print_of, voice

WINDOWS = st.lists(st.lists(st.integers(0, 5), max_size=3, unique=True), max_size=30)
BRIEF = FOUNDING_S / 2


def test_a_voice_that_returns_gets_its_number_back() -> None:
    gallery = SpeakerRegistry()
    heard = [gallery.recognise([voice(person)]) for person in (3, 7, 5, 3, 7)]
    assert heard == [[0], [1], [2], [0], [1]]
    assert len(gallery) == 3


def test_a_voice_that_wavers_is_still_the_same() -> None:
    gallery = SpeakerRegistry()
    assert [gallery.recognise([voice(1, tilt=tilt)]) for tilt in (0.0, 0.9, -0.5)] == [[0], [0], [0]]


def test_a_brief_sound_founds_nobody_but_is_known_again() -> None:
    gallery = SpeakerRegistry()
    assert gallery.recognise([voice(1, clean_s=BRIEF)]) == [NO_SPEAKER]
    gallery.recognise([voice(1)])
    assert gallery.recognise([voice(1, clean_s=BRIEF, tilt=1.3)]) == [0]
    assert gallery.recognise([voice(2, clean_s=BRIEF)]) == [NO_SPEAKER]


def test_voices_of_one_window_are_different_people() -> None:
    gallery = SpeakerRegistry()
    gallery.recognise([voice(1)])
    between = LocalVoice(voice(1).active, (0.5 * print_of(1) + 0.87 * print_of(2)).astype(np.float32), 3.0)
    assert gallery.recognise([voice(1), between]) == [0, 1]


def test_a_voice_that_the_segmentation_divided_is_one_person() -> None:
    gallery = SpeakerRegistry()
    halves = [voice(1, cells=slice(0, 200)), voice(1, tilt=0.3, cells=slice(250, 500))]
    assert gallery.recognise([voice(1)]) + gallery.recognise(halves) == [0, 0, 0]
    assert cluster_windows([halves, halves], SpeakerHint()) == [[0, 0], [0, 0]]


def test_no_more_speakers_than_the_hint_allows() -> None:
    gallery = SpeakerRegistry(maximum=2)
    for person in (1, 2, 3):
        gallery.recognise([voice(person)])
    assert len(gallery) == 2
    assert gallery.recognise([voice(3)]) == [NO_SPEAKER]


def test_numbers_begin_where_those_already_given_end() -> None:
    assert SpeakerRegistry(first=4).recognise([voice(1), voice(2)]) == [4, 5]


def test_a_voice_without_a_print_is_unsure() -> None:
    assert match_voices([LocalVoice(voice(1).active, None, 0.1)], print_of(1)[None], least=-1.0) == [NO_SPEAKER]


def test_the_most_similar_choice_together_counts() -> None:
    known = np.stack([print_of(1), print_of(2)])
    both = (0.8 * print_of(1) + 0.6 * print_of(2)).astype(np.float32)
    voices = [voice(1, tilt=1.0), LocalVoice(voice(1).active, both * np.float32(0.5), 3.0)]
    assert match_voices(voices, known, least=0.2) == [0, 1]


@pytest.mark.parametrize(("minimum", "maximum", "expected"), [(1, None, 4), (1, 2, 2), (3, 3, 3), (4, 9, 4)])
def test_a_recording_keeps_to_the_hint(minimum: int, maximum: int | None, expected: int) -> None:
    windows = [[voice(person, tilt=0.1 * turn)] for turn in range(3) for person in (1, 2, 3, 4)]
    numbers = cluster_windows(windows, SpeakerHint(minimum, maximum))
    assert len({number for window in numbers for number in window}) == expected


@pytest.mark.parametrize(("minimum", "maximum"), [(0, None), (3, 2)])
def test_an_impossible_hint_is_refused(minimum: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="no number of speakers"):
        SpeakerHint(minimum, maximum)


def test_a_recording_without_voices_has_no_speakers() -> None:
    assert cluster_windows([[], [voice(1, clean_s=BRIEF)]], SpeakerHint()) == [[], [NO_SPEAKER]]


@given(WINDOWS)
def test_clearly_different_voices_are_told_apart_live_and_afterwards(windows: list[list[int]]) -> None:
    heard = [[voice(person) for person in window] for window in windows]
    gallery = SpeakerRegistry()
    order = list(dict.fromkeys(person for window in windows for person in window))
    expected = [[order.index(person) for person in window] for window in windows]
    assert [gallery.recognise(window) for window in heard] == expected
    assert cluster_windows(heard, SpeakerHint()) == expected


@given(WINDOWS)
def test_prints_of_many_blocks_give_the_same_speakers_as_those_of_one(windows: list[list[int]]) -> None:
    heard = [[voice(person) for person in window] for window in windows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clustering, "LARGEST", 4)
        in_blocks = cluster_windows(heard, SpeakerHint())
    assert in_blocks == cluster_windows(heard, SpeakerHint())


@pytest.mark.parametrize(("minimum", "maximum", "expected"), [(1, None, 4), (1, 2, 2), (3, 3, 3), (4, 9, 4)])
def test_prints_of_many_blocks_keep_to_the_hint(
    minimum: int, maximum: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "LARGEST", 3)
    windows = [[voice(person, tilt=0.1 * turn)] for turn in range(3) for person in (1, 2, 3, 4)]
    numbers = cluster_windows(windows, SpeakerHint(minimum, maximum))
    assert len({number for window in numbers for number in window}) == expected
