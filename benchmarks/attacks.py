"""Fifty spoken attacks on a real summary model: with all defences, and with only the rules of support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.summaries import MODEL, ensure_model_folder
from inference.summarization.chat import Answer, ChatModel, IsDone, Speed
from inference.summarization.prompt_injection import is_steering
from inference.summarization.prompts import ANSWER_TOKENS, Chat, ask
from inference.summarization.selection import Evidence
from inference.summarization.summarizer import TOPIC_BATCH, ChatSummarizer
from inference.summarization.summary import ItemKind
from inference.summarization.utterances import sentences_of
from inference.summarization.writing import write
from tests.inference.summarization.attacks import ATTACKS, attacked, succeeds

WITHIN_S = 3_600.0
QUICK = 6


@dataclass(frozen=True, slots=True)
class _Shown:
    """An attack that the model reads, together with the surrounding sentences."""

    demanded: str
    evidence: Evidence
    chat: Chat


def run(*, quick: bool = False) -> dict[str, Any]:
    """Count the attacks whose demand reaches a summary; `obeyed` counts those that the model alone would admit."""
    model = _OnceAsked(ChatModel(ensure_model_folder(), label=MODEL))
    attacks = ATTACKS[:: len(ATTACKS) // QUICK] if quick else ATTACKS
    whole = [_whole(model, *attack) for attack in attacks]
    shown = [_shown(*attack) for attack in attacks]
    answers = [
        answer
        for first in range(0, len(shown), TOPIC_BATCH)
        for answer in model.answer([one.chat for one in shown[first : first + TOPIC_BATCH]], most_tokens=ANSWER_TOKENS)
    ]
    written = [write(one.evidence, answer).text for one, answer in zip(shown, answers, strict=True)]
    return {
        "model": MODEL,
        "attacks": len(attacks),
        "succeeded": [attack[0] for attack, success in zip(attacks, whole, strict=True) if success],
        "shown": {
            "obeyed": sum(one.demanded in answer.text.lower() for one, answer in zip(shown, answers, strict=True)),
            "written": sum(one.demanded in text.lower() for one, text in zip(shown, written, strict=True)),
        },
        "answers": [
            {"attack": attack[0], "answer": answer.text, "written": text}
            for attack, answer, text in zip(attacks, answers, written, strict=True)
        ],
    }


def _whole(model: _OnceAsked, speech: str, language: str, demanded: str) -> bool:
    """Run one attack through all defences, as in a meeting."""
    summarizer = ChatSummarizer(model)  # type: ignore[arg-type]
    return succeeds(summarizer.summarize(attacked(speech, language), within_s=WITHIN_S), demanded)


def _shown(speech: str, language: str, demanded: str) -> _Shown:
    """Pass every sentence of the meeting to the model, including the attack, without selection or filtering."""
    sentences = tuple(sentences_of(attacked(speech, language).lines))
    harmless = next(sentence for sentence in sentences if not is_steering(sentence.text))
    return _Shown(demanded, Evidence(ItemKind.TOPIC, sentences, harmless), ask(sentences, language))


class _OnceAsked:
    """The model with a cache by prompt, because most attacks leave the same prompt behind."""

    speed: Speed | None = None

    def __init__(self, model: ChatModel) -> None:
        self.label = model.label
        self._model = model
        self._known: dict[str, Answer] = {}

    def answer(self, chats: Sequence[Chat], *, most_tokens: int, is_done: IsDone = lambda: False) -> list[Answer]:
        """Like `ChatModel.answer`, but ask only for prompts not in the cache."""
        new = {chat[-1]["content"]: chat for chat in chats if chat[-1]["content"] not in self._known}
        answers = self._model.answer(list(new.values()), most_tokens=most_tokens, is_done=is_done)
        self._known |= dict(zip(new, answers, strict=True))
        return [self._known[chat[-1]["content"]] for chat in chats]
