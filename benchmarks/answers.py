"""Cache of chat model answers to meeting prompts, so that a long benchmark resumes where it stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference.summarization.chat import Answer, ChatModel, IsDone, Speed
from inference.summarization.prompts import ANSWER_TOKENS, Chat
from inference.summarization.summarizer import TOPIC_BATCH


@dataclass(frozen=True, slots=True)
class Kept:
    """The answers for one meeting."""

    date: str
    load: tuple[float, float]
    """Load averages before and after."""
    cpu_s: float
    wall_s: float
    answers: tuple[tuple[str, str, bool], ...]
    """Last message of the prompt, answer, and whether it was complete."""


class KeptAnswers:
    """The answers of one model, which is only loaded for a meeting whose prompts are not cached."""

    def __init__(self, folder: Path, load: Callable[[], ChatModel]) -> None:
        self._folder = folder
        self._load = load
        self._model: ChatModel | None = None

    def of(self, meeting: str, chats: Sequence[Chat]) -> Kept:
        """Return the answers to `chats`, batched as in a summarizer. Decoding is greedy, so they are reproducible."""
        path = self._folder / f"{meeting}.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            kept = Kept(**{**found, "load": tuple(found["load"]), "answers": tuple(map(tuple, found["answers"]))})
            if [prompt for prompt, *_ in kept.answers] == [chat[-1]["content"] for chat in chats]:
                return kept
        kept = self._ask(chats)
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(kept), ensure_ascii=False, indent=1), encoding="utf-8")
        return kept

    def _ask(self, chats: Sequence[Chat]) -> Kept:
        self._model = model = self._model or self._load()
        before, cpu, wall = os.getloadavg()[0], time.process_time(), time.perf_counter()
        batches = [chats[first : first + TOPIC_BATCH] for first in range(0, len(chats), TOPIC_BATCH)]
        answers = [answer for batch in batches for answer in model.answer(batch, most_tokens=ANSWER_TOKENS)]
        rows = [
            (chat[-1]["content"], answer.text, answer.is_complete) for chat, answer in zip(chats, answers, strict=True)
        ]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        took = time.process_time() - cpu, time.perf_counter() - wall
        return Kept(now, (before, os.getloadavg()[0]), *took, tuple(rows))


class RecitingChatModel:
    """A chat model that returns cached answers."""

    speed: Speed | None = None

    def __init__(self, label: str, kept: Kept) -> None:
        self.label = label
        self._answers = {prompt: Answer(text, is_complete) for prompt, text, is_complete in kept.answers}

    def count_tokens(self, chats: Sequence[Chat]) -> int:
        """Return the number of words in all messages."""
        return sum(len(turn["content"].split()) for chat in chats for turn in chat)

    def answer(self, chats: Sequence[Chat], *, most_tokens: int, is_done: IsDone = lambda: False) -> list[Answer]:
        """Return the cached answers, ignoring the limits."""
        return [self._answers[chat[-1]["content"]] for chat in chats]
