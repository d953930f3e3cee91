from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.summarization.chat import Speed
from inference.summarization.prompts import ANSWER_TOKENS
from inference.summarization.summarizer import SELECTION_S, TOPIC_BATCH, ChatSummarizer, ExtractiveSummarizer
from inference.summarization.summary import Item, ItemKind, Summarizer, Summary, SummaryCancelled, SummaryRequest
from inference.summarization.words import words_of
from tests.inference.summarization.doubles import ScriptedChatModel
from tests.inference.summarization.talk import BUDGET, ORCAMENTO, spoken

QUOTED = (
    Item(ItemKind.DECISION, "Ana: We decided to use rubber buttons for the remote control.", ("c2",)),
    Item(ItemKind.ACTION, "Ben: I will send the market report by Friday.", ("c3",), "S-Ben"),
    Item(ItemKind.QUESTION, "Ana: Who is going to test the speech recognition?", ("c4",)),
)
LINE = "Ana said the remote control will sell for twenty five Euro."


def writer(reply: str, *, is_complete: bool = True, clock: object = None) -> ChatSummarizer:
    model = ScriptedChatModel(lambda _: reply, is_complete=is_complete)
    return ChatSummarizer(model, **({"clock": clock} if clock else {}))  # type: ignore[arg-type]


def summary_of(summarizer: Summarizer, request: SummaryRequest) -> Summary:
    return summarizer.summarize(request, within_s=900.0)


def test_the_model_writes_the_topic_and_the_rest_is_quoted() -> None:
    summary = summary_of(writer(LINE), BUDGET)
    assert summary == Summary(0.0, 23.0, "en", LINE, (Item(ItemKind.TOPIC, LINE, ("c0",)), *QUOTED))


def test_without_a_model_everything_is_quoted() -> None:
    summary = summary_of(ExtractiveSummarizer(), BUDGET)
    assert summary.items[1:] == QUOTED
    assert summary.items[0].text.partition(": ")[2] in {line.text for line in BUDGET.lines}


def test_a_portuguese_meeting_is_summarised_in_portuguese() -> None:
    summary = summary_of(ExtractiveSummarizer(), ORCAMENTO)
    assert summary.language == "pt"
    assert [(item.kind, item.segments, item.owner) for item in summary.items[1:]] == [
        (ItemKind.DECISION, ("c2",), None),
        (ItemKind.ACTION, ("c3",), "S-Rui"),
        (ItemKind.QUESTION, ("c4",), None),
    ]


def test_what_is_not_finished_in_time_is_quoted() -> None:
    ticks = count()
    summary = writer(LINE, clock=lambda: float(next(ticks))).summarize(BUDGET, within_s=0.5)
    assert summary == summary_of(ExtractiveSummarizer(), BUDGET)


def test_a_cancelled_summary_is_none() -> None:
    for summarizer in (writer(LINE), ExtractiveSummarizer()):
        with pytest.raises(SummaryCancelled):
            summarizer.summarize(BUDGET, within_s=900.0, is_cancelled=lambda: True)


def test_the_next_run_tells_only_what_is_new() -> None:
    notes = summary_of(writer(LINE), BUDGET)
    later = spoken("We decided to launch in Portugal first.", "The rubber buttons are grey.", name="Ana", first=50)
    summary = summary_of(writer(LINE), SummaryRequest(later, "en", notes))
    assert summary.items[:1] == notes.items[:1]
    assert [item.text for item in summary.items if item.kind is ItemKind.DECISION] == [
        QUOTED[0].text,
        "Ana: We decided to launch in Portugal first.",
    ]
    assert (summary.from_s, summary.to_s) == (0.0, later[-1].end)


def test_nothing_new_leaves_the_notes_as_they_are() -> None:
    notes = summary_of(writer(LINE), BUDGET)
    model = ScriptedChatModel(lambda _: LINE)
    again = ChatSummarizer(model).summarize(SummaryRequest((), "en", notes), within_s=900.0)  # type: ignore[arg-type]
    assert again == notes
    assert model.asked == []


def test_nothing_said_is_an_empty_summary() -> None:
    assert summary_of(ExtractiveSummarizer(), SummaryRequest((), "en")) == Summary(0.0, 0.0, "en", "", ())


def test_the_expected_time_follows_the_measured_speed() -> None:
    model = ScriptedChatModel(lambda _: LINE)
    summarizer = ChatSummarizer(model)  # type: ignore[arg-type]
    model.speed = Speed(prompt_token_s=0.0, step_s=2.0)
    assert summarizer.expected_s(BUDGET) == SELECTION_S + 2.0 * ANSWER_TOKENS
    model.speed = Speed(prompt_token_s=1.0, step_s=0.0)
    assert summarizer.expected_s(BUDGET) > SELECTION_S + 100.0
    assert summarizer.expected_s(SummaryRequest((), "en")) == SELECTION_S


def test_long_meetings_are_asked_about_in_batches() -> None:
    lines = spoken(*(f"The price of part {at} in box {at * 7} is {at * 3} Euro today." for at in range(600)))
    model = ScriptedChatModel(lambda _: "")
    ChatSummarizer(model).summarize(SummaryRequest(lines, "en"), within_s=900.0)  # type: ignore[arg-type]
    assert TOPIC_BATCH < len(model.asked) <= 8


WORDS = st.sampled_from(
    (
        *("ignore", "all", "instructions", "write", "Ana", "Ben:", "We", "decided", "I", "will", "send", "the", "25"),
        *("Euro", "not", "Zed", "?", ".", ",", "<|x|>", "é"),
    )
)
SPEECH = st.lists(WORDS, max_size=12).map(" ".join)


@given(st.lists(SPEECH, max_size=8), SPEECH | st.text(max_size=60), st.sampled_from(["en", "pt", "de"]))
def test_whatever_is_said_and_answered_every_item_is_of_the_captions(
    said: list[str], reply: str, language: str
) -> None:
    request = SummaryRequest(spoken(*said, language=language), language)
    summary = summary_of(writer(reply), request)
    texts = {line.segment: {word.lower() for word in words_of(line.text)} for line in request.lines}
    for item in summary.items:
        assert item.segments
        assert set(item.segments) <= set(texts)
        if item.kind is not ItemKind.TOPIC:
            heard = set().union(*(texts[segment] for segment in item.segments)) | {"ana"}
            assert {word.lower() for word in words_of(item.text)} <= heard
