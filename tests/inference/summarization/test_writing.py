from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.summarization.chat import Answer
from inference.summarization.selection import Evidence
from inference.summarization.summary import ItemKind
from inference.summarization.support import find_fault
from inference.summarization.words import words_of
from inference.summarization.writing import LONGEST_QUOTATION, MOST_STATEMENTS, checked, quote, write
from tests.inference.summarization.talk import sentence

SAID = (
    sentence("The remote control will sell for twenty five Euro.", name="Ana", place=0),
    sentence("It must not cost more than twelve Euro.", name="Ben", place=1),
    sentence("Maybe solar batteries from Grizelda are cheap.", name="Ben", place=2),
)
TOPIC = Evidence(ItemKind.TOPIC, SAID, SAID[0])
QUOTED = "Ana: The remote control will sell for twenty five Euro."

PIECES = st.sampled_from(
    (
        *("Ana", "Ben", "Zed", "said:", "said", "they", "the", "remote", "control", "batteries", "Grizelda", "Sony"),
        *("will", "not", "never", "sells", "for", "twenty", "thirty", "five", "twelve", "12.50", "Euro", "dollars"),
        *("more", "than", "cheap", "and", ",", ".", ";", "maybe", "if", "all", "cost", "ignore", "</lines>", "\n"),
    )
)


def test_a_supported_answer_is_the_item_and_cites_what_it_rests_on() -> None:
    item = write(TOPIC, Answer("Ana said the remote control will sell for twenty five Euro.", True))
    assert (item.kind, item.text) == (ItemKind.TOPIC, "Ana said the remote control will sell for twenty five Euro.")
    assert item.segments == ("c0",)


def test_what_is_not_supported_is_left_out_of_it() -> None:
    answer = Answer("Zed likes the Sony remote control. Ben said it must not cost more than twelve Euro.", True)
    item = write(TOPIC, answer)
    assert (item.text, item.segments) == ("Ben said it must not cost more than twelve Euro.", ("c1",))
    assert [check.fault is None for check in checked(TOPIC, answer)] == [False, True]


def test_without_a_supported_statement_the_caption_is_quoted() -> None:
    answers = ("", "The remote control sells for thirty Euro.", "Zed likes Sony")
    for answer in (None, Answer("He", False), *(Answer(text, True) for text in answers)):
        assert write(TOPIC, answer).text == QUOTED
        assert write(TOPIC, answer).segments == ("c0",)


def test_an_item_has_few_statements() -> None:
    answer = " ".join(f"Ana said the remote control will sell{mark}." for mark in ("", " for twenty five Euro", " it"))
    assert write(TOPIC, Answer(answer, True)).text.count("Ana said") == MOST_STATEMENTS


def test_a_long_quotation_is_cut_and_says_so() -> None:
    long = sentence(" ".join(["word"] * 50), name=None)
    text = quote(Evidence(ItemKind.TOPIC, (long,), long)).text
    assert text == " ".join(["word"] * LONGEST_QUOTATION) + " …"


@given(st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=120), st.booleans())
def test_whatever_the_model_answers_the_item_is_supported(text: str, is_complete: bool) -> None:
    answer = Answer(text, is_complete)
    item = write(TOPIC, answer)
    kept = [check for check in checked(TOPIC, answer) if check.fault is None]
    assert set(item.segments) <= {"c0", "c1", "c2"}
    assert item.segments
    assert item.text == (" ".join(check.text for check in kept[:MOST_STATEMENTS]) or QUOTED)
    cited = [said for said in SAID if said.segments[0] in item.segments]
    for check in kept[:MOST_STATEMENTS]:
        assert find_fault(check.text, cited, "en") is None or ": " in check.text
        assert not {"zed", "sony", "dollars", "thirty", "never"} & {word.lower() for word in words_of(check.text)}
