from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.summarization.rolling import MAX_NOTES, join, prose
from inference.summarization.summary import Item, ItemKind, Summary

WORDS = ["rubber", "button", "market", "price", "Euro", "battery", "solar", "case", "yellow", "remote"]


def topic(text: str, *segments: str) -> Item:
    return Item(ItemKind.TOPIC, text, segments or ("c0",))


def joined(notes: Summary | None, *items: Item) -> Summary:
    return join(notes, items, from_s=10.0, to_s=20.0, language="en")


def test_the_first_items_are_the_summary() -> None:
    question = Item(ItemKind.QUESTION, "Who tests the battery?", ("c3",))
    summary = joined(None, question, topic("The market is big"))
    assert summary == Summary(10.0, 20.0, "en", "The market is big.", (topic("The market is big"), question))


def test_what_is_said_again_adds_its_captions_and_no_line() -> None:
    notes = joined(None, topic("Rubber buttons are cheap.", "c0"))
    again = joined(notes, topic("The rubber button is cheap.", "c7"), topic("The market is big.", "c8"))
    assert again.items == (topic("Rubber buttons are cheap.", "c0", "c7"), topic("The market is big.", "c8"))


def test_the_same_words_as_another_kind_are_another_item() -> None:
    decision = Item(ItemKind.DECISION, "Rubber buttons are cheap.", ("c1",))
    assert len(joined(joined(None, topic("Rubber buttons are cheap.")), decision).items) == 2


def test_notes_reach_from_the_first_caption_to_the_last() -> None:
    notes = Summary(0.0, 10.0, "en", "", ())
    assert (joined(notes).from_s, joined(notes).to_s) == (0.0, 20.0)


def test_the_prose_is_the_topics() -> None:
    assert prose([topic("One"), Item(ItemKind.ACTION, "Two", ("c1",)), topic("Three …")], "en") == "One. Three …"
    assert prose([topic("天气"), topic("公园散步！")], "zh") == "天气。公园散步！"


ITEMS = st.builds(
    lambda kind, words, number: Item(kind, " ".join(words), (f"c{number}",)),
    st.sampled_from(ItemKind),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    st.integers(0, 99),
)


@given(st.lists(st.lists(ITEMS, max_size=12), max_size=6))
def test_notes_stay_bounded_invent_nothing_and_keep_their_order(runs: list[list[Item]]) -> None:
    notes: Summary | None = None
    for run in runs:
        notes = joined(notes, *run)
    given_items = [item for run in runs for item in run]
    for item in notes.items if notes else ():
        assert item.text in {other.text for other in given_items}
        assert set(item.segments) <= {segment for other in given_items for segment in other.segments}
    kinds = [item.kind for item in notes.items] if notes else []
    assert kinds == sorted(kinds, key=list(ItemKind).index)
    assert all(kinds.count(kind) <= most for kind, most in MAX_NOTES.items())
