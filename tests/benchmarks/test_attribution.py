from __future__ import annotations

from pathlib import Path

from benchmarks.attribution import attributed_words, count_errors, spoken_words
from inference.diarization.turns import SpeakerTurn
from inference.types import Word

STM = """\
talk 1 bob 4.00 6.00 Fine, thanks.
talk 1 ana 0.00 2.00 How are you?
talk 1 ana 9.00 11.00 Too late
"""


def words(*said: tuple[float, str]) -> list[Word]:
    return [Word(start, start + 0.5, text, 1.0) for start, text in said]


def test_reference_words_are_joined_by_speaker_in_time_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "talk.stm"
    path.write_text(STM)
    assert spoken_words(path, 9.0) == {"ana": "how are you", "bob": "fine thanks"}
    assert spoken_words(path, 9.1)["ana"] == "how are you too late"


def test_captions_are_divided_by_turns_and_what_is_nobodys_stands_apart() -> None:
    captions = [words((0.0, "How"), (0.5, "are"), (1.0, "you?"), (4.0, "Fine,"), (4.5, "thanks.")), words((20.0, "Um"))]
    turns = [SpeakerTurn(0.0, 2.0, "S1"), SpeakerTurn(4.0, 6.0, "S2"), SpeakerTurn(20.0, 21.0, None)]
    assert attributed_words(captions, turns) == {"S1": "how are you", "S2": "fine thanks", "?": "um"}


def test_a_word_under_the_wrong_name_is_wrong_twice_and_names_do_not_matter() -> None:
    reference = {"ana": "how are you", "bob": "fine thanks"}
    assert count_errors(reference, {"S2": "how are you", "S1": "fine thanks"}).errors == 0
    assert count_errors(reference, {"S2": "how are", "S1": "you fine thanks"}).errors == 2


def test_recordings_are_counted_together_and_one_without_captions_is_all_wrong() -> None:
    silent = count_errors({"ana": "how are you"}, {})
    assert (silent.errors, silent.length) == (3, 3)
    together = silent + count_errors({"bob": "fine"}, {"S1": "fine"})
    assert (together.errors, together.length) == (3, 4)
