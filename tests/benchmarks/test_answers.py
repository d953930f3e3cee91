from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.answers import KeptAnswers, RecitingChatModel
from inference.summarization.chat import Answer, ChatModel
from tests.inference.summarization.doubles import ScriptedChatModel

CHATS = [({"role": "user", "content": text},) for text in ("one", "two", "three", "four", "five")]


class Loads:
    """Counts how often the model is loaded."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> ChatModel:
        self.count += 1
        return ScriptedChatModel(str.upper)  # type: ignore[return-value]


@pytest.fixture
def loads() -> Loads:
    return Loads()


def test_a_meeting_is_asked_once_and_goes_on_after_a_restart(tmp_path: Path, loads: Loads) -> None:
    first = KeptAnswers(tmp_path / "model", loads).of("meeting", CHATS)
    again = KeptAnswers(tmp_path / "model", loads).of("meeting", CHATS)
    assert again == first
    assert loads.count == 1
    assert [row[1] for row in first.answers] == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]


def test_other_prompts_are_asked_anew(tmp_path: Path, loads: Loads) -> None:
    answers = KeptAnswers(tmp_path, loads)
    answers.of("meeting", CHATS[:2])
    assert answers.of("meeting", CHATS[2:3]).answers == (("three", "THREE", True),)
    assert answers.of("other", CHATS[:1]).answers == (("one", "ONE", True),)
    assert loads.count == 1


def test_kept_answers_are_recited(tmp_path: Path, loads: Loads) -> None:
    model = RecitingChatModel("model", KeptAnswers(tmp_path, loads).of("meeting", CHATS))
    assert model.answer(CHATS[3:1:-1], most_tokens=9) == [Answer("FOUR", True), Answer("THREE", True)]
    assert model.count_tokens(CHATS) == 5
