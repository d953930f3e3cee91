from __future__ import annotations

from inference.summarization.selection import (
    MAX_ITEMS,
    MOST_STRETCHES,
    SENTENCES_A_TOPIC,
    WORDS_A_TOPIC,
    Evidence,
    select,
)
from inference.summarization.summary import ItemKind
from inference.summarization.utterances import sentences_of
from tests.inference.summarization.talk import BUDGET, spoken


def chosen(*texts: str, language: str = "en") -> list[Evidence]:
    return select(sentences_of(spoken(*texts)), language)


def test_a_short_meeting_has_one_topic_and_its_items() -> None:
    found = select(sentences_of(BUDGET.lines), "en")
    assert [(evidence.kind, evidence.best.segments) for evidence in found] == [
        (ItemKind.TOPIC, found[0].best.segments),
        (ItemKind.DECISION, ("c2",)),
        (ItemKind.ACTION, ("c3",)),
        (ItemKind.QUESTION, ("c4",)),
    ]
    assert found[0].best.segments in {("c0",), ("c1",), ("c5",)}


def test_nothing_said_is_nothing_chosen() -> None:
    assert chosen() == []
    assert chosen("Yes.", "Okay.", "Right.") == []


def test_however_long_it_is_bounded() -> None:
    texts = [f"We decided that item {number} of plan {number * 7} costs {number * 3} Euro." for number in range(900)]
    found = chosen(*texts)
    topics = [evidence for evidence in found if evidence.kind is ItemKind.TOPIC]
    assert len(topics) == MOST_STRETCHES
    for topic in topics:
        assert len(topic.sentences) <= SENTENCES_A_TOPIC
        assert sum(sentence.length for sentence in topic.sentences) <= WORDS_A_TOPIC
    assert len(found) - len(topics) == MAX_ITEMS[ItemKind.DECISION]


def test_the_same_thing_is_chosen_once() -> None:
    found = chosen("We decided to use rubber buttons.", "We decided to use the rubber buttons!", "The price is high.")
    assert [evidence.best.segments for evidence in found if evidence.kind is ItemKind.DECISION] == [("c0",)]


def test_other_languages_make_no_topics() -> None:
    found = chosen("We decided to use rubber buttons today.", language="pt")
    assert [evidence.kind for evidence in found] == [ItemKind.DECISION]


def test_a_topic_does_not_quote_what_is_an_item_already() -> None:
    found = chosen("We decided to use cheap rubber buttons.", "Rubber buttons feel soft for years in every market.")
    assert [(evidence.kind, evidence.best.segments) for evidence in found] == [
        (ItemKind.TOPIC, ("c1",)),
        (ItemKind.DECISION, ("c0",)),
    ]
