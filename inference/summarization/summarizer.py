"""The two summarizers: one quotes, the other lets a chat model write the topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inference.summarization.assignees import owner_of
from inference.summarization.chat import Answer, ChatModel, Speed
from inference.summarization.prompts import ANSWER_TOKENS, Chat, ask
from inference.summarization.rolling import join
from inference.summarization.selection import Evidence, select
from inference.summarization.summary import IsCancelled, Item, ItemKind, Summary, SummaryCancelled, SummaryRequest
from inference.summarization.utterances import sentences_of
from inference.summarization.writing import quote, write

TOPIC_BATCH = 4
"""Topics per model batch."""
SELECTION_S = 0.5
"""Approximate seconds to select from ten minutes of speech."""
UNMEASURED_SPEED = Speed(prompt_token_s=0.01, step_s=0.25)
"""Assumed speed before the first answer: SmolLM2 135M on two busy cores."""

WARM_UP: Chat = ({"role": "user", "content": "Say in one sentence that the harbour hall is the cheapest one."},)
WARM_UP_TOKENS = 8

Clock = Callable[[], float]


class ExtractiveSummarizer:
    """`Summarizer` that quotes the most central sentences. Needs no model and almost no time."""

    label = "quotations"

    def expected_s(self, request: SummaryRequest) -> float:
        """Return a constant estimate."""
        return SELECTION_S

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        """Quote the central sentences; fast enough to ignore `within_s`. Raises SummaryCancelled."""
        chosen = _choose(request)
        return _finish(request, [quote(topic) for topic in chosen.topics], chosen.quoted, is_cancelled)


class ChatSummarizer:
    """`Summarizer` whose model writes each topic from its most central sentences; all other items are quoted.

    Decisions, actions and questions are not passed to the model, because their exact wording matters.
    """

    def __init__(self, model: ChatModel, *, clock: Clock = time.monotonic) -> None:
        self.model = model
        self.label = model.label
        self._clock = clock

    def warm_up(self) -> str:
        """Generate a few words, so that the first summary does not wait for memory allocation.

        The same weights always give the same answer, so the pool compares it after moving them.
        """
        speed = self.model.speed
        [answer] = self.model.answer([WARM_UP], most_tokens=WARM_UP_TOKENS)
        self.model.speed = speed
        return answer.text

    def expected_s(self, request: SummaryRequest) -> float:
        """Estimate the seconds from the prompt tokens and the speed of the last answer."""
        topics = _choose(request).topics
        tokens = self.model.count_tokens([ask(topic.sentences, request.language) for topic in topics])
        batches = -(-len(topics) // TOPIC_BATCH)
        return SELECTION_S + (self.model.speed or UNMEASURED_SPEED).expected_s(tokens, batches * ANSWER_TOKENS)

    def summarize(
        self, request: SummaryRequest, *, within_s: float, is_cancelled: IsCancelled = lambda: False
    ) -> Summary:
        """Write the topics within `within_s` seconds and quote the rest. Raises SummaryCancelled."""
        until = self._clock() + within_s
        chosen = _choose(request)
        answers = self._answers(chosen.topics, request.language, lambda: is_cancelled() or self._clock() >= until)
        written = [write(topic, answer) for topic, answer in zip(chosen.topics, answers, strict=True)]
        return _finish(request, written, chosen.quoted, is_cancelled)

    def _answers(self, topics: Sequence[Evidence], language: str, is_done: Callable[[], bool]) -> list[Answer | None]:
        answers: list[Answer | None] = []
        for first in range(0, len(topics), TOPIC_BATCH):
            chats = [ask(topic.sentences, language) for topic in topics[first : first + TOPIC_BATCH]]
            if is_done():
                answers += [None] * len(chats)
            else:
                answers += self.model.answer(chats, most_tokens=ANSWER_TOKENS, is_done=is_done)
        return answers


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The content of a run."""

    topics: tuple[Evidence, ...]
    quoted: tuple[Item, ...]
    """Decisions, actions and questions."""


def _choose(request: SummaryRequest) -> _Chosen:
    evidence = select(sentences_of(request.lines), request.language)
    speakers = {line.speaker: line.name for line in request.lines if line.speaker and line.name}
    return _Chosen(
        tuple(found for found in evidence if found.kind is ItemKind.TOPIC),
        tuple(_quoted(found, speakers) for found in evidence if found.kind is not ItemKind.TOPIC),
    )


def _quoted(evidence: Evidence, speakers: Mapping[str, str]) -> Item:
    is_task = evidence.kind is ItemKind.ACTION
    return quote(evidence, owner=owner_of(evidence.best, speakers, evidence.following) if is_task else None)


def _finish(
    request: SummaryRequest, topics: Sequence[Item], quoted: Sequence[Item], is_cancelled: IsCancelled
) -> Summary:
    """Merge all items into the notes. Raises SummaryCancelled."""
    if is_cancelled():
        raise SummaryCancelled("The summary was cancelled; the notes stay as they were.")
    from_s = min((line.start for line in request.lines), default=request.notes.from_s if request.notes else 0.0)
    to_s = max((line.end for line in request.lines), default=request.notes.to_s if request.notes else 0.0)
    return join(request.notes, [*topics, *quoted], from_s=from_s, to_s=to_s, language=request.language)
