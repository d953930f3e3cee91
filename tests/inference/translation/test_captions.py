from __future__ import annotations

from collections.abc import Sequence

from inference.translation.captions import SourceSentence, translate_captions
from inference.translation.translator import Translation, TranslationRequest


class ScriptedModel:
    """Answers from two lists what the real models answer too seldom: nonsense, and lost names."""

    longest = 300

    def __init__(self, quick: dict[str, str], careful: dict[str, str]) -> None:
        self._quick, self._careful = quick, careful
        self.asked: list[list[str]] = []

    def render(self, sentences: Sequence[SourceSentence]) -> list[str]:
        self.asked.append([sentence.text for sentence in sentences])
        return [self._quick[sentence.text] for sentence in sentences]

    def render_carefully(self, sentences: Sequence[SourceSentence]) -> list[str]:
        return [self._careful[sentence.text] for sentence in sentences]


def _request(text: str, *vocabulary: str) -> TranslationRequest:
    return TranslationRequest(text, "en", "pt", vocabulary)


def test_sentences_of_all_captions_are_one_batch() -> None:
    model = ScriptedModel({"Yes.": "Sim.", "No.": "Não.", "Hi.": "Oi."}, {})
    translations = translate_captions(model, [_request("Yes. No."), _request("Hi.")])
    assert translations == [Translation("Sim. Não.", True), Translation("Oi.", True)]
    assert model.asked == [["Yes.", "No.", "Hi."]]


def test_nonsense_is_translated_again_with_care() -> None:
    model = ScriptedModel({"Yes.": "sim " * 40}, {"Yes.": "Sim."})
    assert translate_captions(model, [_request("Yes.")]) == [Translation("Sim.", True)]


def test_what_stays_nonsense_is_shown_as_it_was_said_and_marked() -> None:
    model = ScriptedModel({"Yes.": "", "No.": "Não."}, {"Yes.": "sim " * 40})
    assert translate_captions(model, [_request("Yes. No.")]) == [Translation("Yes. Não.", False)]


def test_a_copy_is_marked_and_stands_as_it_was_said() -> None:
    copied = {"Why not?": "Why not?", "Yes.": "Sim.", "Go on!": "Go on!"}
    requests = [TranslationRequest(text, "en", "pt") for text in ("Why not?  Go on!", "Yes. Why not?")]
    assert translate_captions(ScriptedModel(copied, copied), requests) == [
        Translation("Why not?  Go on!", False),
        Translation("Sim. Why not?", False),
    ]


def test_pictures_stay_where_they_are() -> None:
    model = ScriptedModel({"Hello": "Olá", "see you.": "até logo."}, {})
    assert translate_captions(model, [_request("Hello 👋🏽 see you."), _request("👋"), _request("❤️ 👨‍👩‍👧")]) == [
        Translation("Olá 👋🏽 até logo.", True),
        Translation("👋", True),
        Translation("❤️ 👨‍👩‍👧", True),
    ]


def test_what_has_no_words_never_reaches_the_model() -> None:
    model = ScriptedModel({}, {})
    answers = translate_captions(model, [_request("12, 13."), _request(""), _request("Ana!", "Ana")])
    assert answers == [Translation("12, 13.", True), Translation("", True), Translation("Ana!", True)]
    assert model.asked == [[]]


def test_a_lost_name_is_brought_back() -> None:
    model = ScriptedModel({"Ask Daisy.": "Pergunte à Margarida.", "Ask Zyphex.": "Pergunte a Zyphex."}, {})
    assert translate_captions(model, [_request("Ask Daisy.", "Daisy")]) == [Translation("Pergunte a Daisy.", True)]


def test_a_name_that_cannot_be_brought_back_leaves_a_whole_translation() -> None:
    model = ScriptedModel({"Ask Daisy.": "Pergunte à Margarida.", "Ask Zyphex.": "Pergunte."}, {})
    assert translate_captions(model, [_request("Ask Daisy.", "Daisy")]) == [Translation("Pergunte à Margarida.", True)]


def test_a_name_that_survives_costs_nothing() -> None:
    model = ScriptedModel({"Ask Ana.": "Pergunte à Ana."}, {})
    assert translate_captions(model, [_request("Ask Ana.", "Ana")]) == [Translation("Pergunte à Ana.", True)]
    assert model.asked == [["Ask Ana."]]
