"""Summaries of meetings with reference summaries: inventions, support, ROUGE, seconds; every prompt and answer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import REPOSITORY
from inference.fetching import ensure_model
from inference.summarization.centrality import centralities, weigh
from inference.summarization.chat import Answer, ChatModel, Speed
from inference.summarization.lines import Sentence, sentences_of, tidy
from inference.summarization.prompts import Chat, ask
from inference.summarization.selection import Evidence, select
from inference.summarization.summarizer import ChatSummarizer, ExtractiveSummarizer
from inference.summarization.summary import Kind, SpokenLine, Summary, SummaryRequest
from inference.summarization.support import number_runs
from inference.summarization.words import FUNCTION_WORDS, words_of
from inference.summarization.writing import checked

AUDIO = REPOSITORY.parent / "shared" / "audio"
RESULT = REPOSITORY / "benchmarks" / "results" / "summaries.json"
MODEL = "qwen2.5-coder-0.5b"
QUICK = 2
WORDS_A_SECOND = 2.5
"""QMSum's transcripts have no times."""
ROUGES = ("rouge1", "rouge2", "rougeL")
WITHIN_S = 3_600.0


def run(*, audio: Path = AUDIO, quick: bool = False, meetings: int | None = None) -> dict[str, Any]:
    """Every meeting in one run, as a recording is summarised; `meetings` bounds their number.

    Decoding is greedy, so answers that stand in the last result are taken from there for the same prompt: scoring other
    rules costs no hours. Delete that file to ask the model anew.
    """
    paths = sorted((audio / "summary").glob("*.json"))[: QUICK if quick else meetings]
    writer = RememberingChatModel(_known_answers(), lambda: ChatModel(ensure_model_folder()))
    return {
        "model": MODEL,
        "meetings": (rows := [_meeting(path, writer) for path in paths]),
        "mean": {name: _mean([row["rouge"][name] for row in rows]) for name in rows[0]["rouge"]},
        "items": sum(row["items"] for row in rows),
        "inventions": [invention for row in rows for invention in row["inventions"]],
        "topics": {name: sum(row["topics"][name] for row in rows) for name in ("written", "quoted")},
        "faults": dict(Counter(fault for row in rows for fault in row["faults"])),
        "answers": {json.dumps(chat): list(answer) for chat, answer in writer.answers.items()},
    }


def ensure_model_folder() -> Path:
    """The starter model's folder, fetched where it is not here."""
    from django.conf import settings

    from inference.catalog import find_model

    return ensure_model(find_model(MODEL), settings.ENVIRONMENT.models)


class RememberingChatModel:
    """A chat model that is only loaded for prompts that it has not answered before."""

    label = MODEL

    def __init__(self, known: Mapping[Any, tuple[str, bool]], load: Callable[[], ChatModel]) -> None:
        self._known = dict(known)
        self._load = load
        self._model: ChatModel | None = None
        self.answers: dict[Any, tuple[str, bool]] = {}
        """Of this run, by chat."""
        self.speed: Speed | None = None

    def count_tokens(self, chats: Sequence[Chat]) -> int:
        """Loads the model."""
        return self._loaded().count_tokens(chats)

    def answer(self, chats: Sequence[Chat], *, most_tokens: int, is_done: Callable[[], bool]) -> list[Answer]:
        """As `ChatModel.answer`."""
        keys = [_key(chat) for chat in chats]
        if any(key not in self._known for key in keys):
            answers = self._loaded().answer(chats, most_tokens=most_tokens, is_done=is_done)
            self._known |= {key: (a.text, a.is_complete) for key, a in zip(keys, answers, strict=True)}
        self.answers |= {key: self._known[key] for key in keys}
        return [Answer(*self._known[key]) for key in keys]

    def _loaded(self) -> ChatModel:
        self._model = self._model or self._load()
        return self._model


def _meeting(path: Path, model: RememberingChatModel) -> dict[str, Any]:
    lines, reference = _read(path)
    request = SummaryRequest(lines, "en")
    summarizer = ChatSummarizer(model)  # type: ignore[arg-type]
    started = time.process_time()
    ours = summarizer.summarize(request, within_s=WITHIN_S)
    took = time.process_time() - started
    quoted = ExtractiveSummarizer().summarize(request, within_s=WITHIN_S)
    length = len(ours.text.split())
    texts = {
        "ours": ours.text,
        "ours without a model": quoted.text,
        "lead": _cut(" ".join(line.text for line in lines), length),
        "central sentences": _central(sentences_of(lines), length),
    }
    checks = _checks(request, model)
    return {
        "meeting": path.stem,
        "words": length,
        "reference_words": len(reference.split()),
        "cpu_s": round(took, 1),
        "rouge": {name: _rouge(reference, text) for name, text in texts.items()},
        "items": len(ours.items),
        "topics": {
            "written": sum(any(fault == "supported" for fault in faults) for faults in checks),
            "quoted": sum(all(fault != "supported" for fault in faults) for faults in checks),
        },
        "faults": [fault for faults in checks for fault in faults],
        "inventions": inventions(ours, lines),
        "summary": [{"kind": i.kind, "text": i.text, "owner": i.owner, "segments": i.segments} for i in ours.items],
    }


def inventions(summary: Summary, lines: Sequence[SpokenLine]) -> list[str]:
    """Names, numbers and products of `summary` that none of its cited captions holds: this must be empty."""
    by_segment = {line.segment: line for line in lines}
    found = []
    for item in summary.items:
        cited = [by_segment[segment] for segment in item.segments]
        heard = " ".join(f"{line.name or ''} {line.text}" for line in cited)
        said = {word.lower() for word in words_of(heard)} | FUNCTION_WORDS["en"]
        names = [word for word in words_of(item.text)[1:] if word[0].isupper() and word.lower() not in said]
        # "eight, uh, five" is quoted without its filler, and then is one number.
        spoken_numbers = number_runs(heard, "en") | number_runs(tidy(heard), "en")
        numbers = [word for run in number_runs(item.text, "en") - spoken_numbers for word in run]
        found += [f"{word} ({item.text})" for word in names + numbers]
    return found


def _checks(request: SummaryRequest, model: RememberingChatModel) -> list[list[str]]:
    """For every topic what became of the statements of its answer."""
    topics = [topic for topic in select(sentences_of(request.lines), request.language) if topic.kind is Kind.TOPIC]
    return [_faults(topic, model.answers[_key(ask(topic.sentences, request.language))]) for topic in topics]


def _faults(topic: Evidence, answer: tuple[str, bool]) -> list[str]:
    found = [check.fault or "supported" for check in checked(topic, Answer(*answer))]
    return [str(fault) for fault in found] or ["no statement"]


def _central(sentences: Sequence[Sentence], length: int) -> str:
    """The extractive baseline: plain LexRank over the meeting, in the meeting's order, as many words as ours."""
    ranks = centralities(weigh(sentences))
    chosen, words = set(), 0
    for place in sorted(range(len(sentences)), key=lambda place: -ranks[place]):
        if words >= length:
            break
        chosen.add(place)
        words += sentences[place].length
    return _cut(" ".join(sentences[place].text for place in sorted(chosen)), length)


def _read(path: Path) -> tuple[tuple[SpokenLine, ...], str]:
    """The captions and the reference: AMI's abstract, QMSum's answer about the whole meeting."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if "transcript" not in data:
        return _read_qmsum(data)
    turns = enumerate(data["transcript"])
    lines = tuple(
        SpokenLine(f"c{at}", turn["start"], turn["end"], turn["text"], "en", turn["speaker_id"], turn["speaker"])
        for at, turn in turns
    )
    return lines, " ".join(data["reference_summary"]["abstract"])


def _read_qmsum(data: dict[str, Any]) -> tuple[tuple[SpokenLine, ...], str]:
    lines, start = [], 0.0
    for at, turn in enumerate(data["meeting_transcripts"]):
        end = start + len(turn["content"].split()) / WORDS_A_SECOND
        lines.append(SpokenLine(f"c{at}", start, end, turn["content"], "en", turn["speaker"], turn["speaker"]))
        start = end
    return tuple(lines), data["general_query_list"][0]["answer"]


def _rouge(reference: str, text: str) -> dict[str, float]:
    from rouge_score.rouge_scorer import RougeScorer

    scores = RougeScorer(list(ROUGES), use_stemmer=True).score(reference, text)
    return {name: round(100 * scores[name].fmeasure, 1) for name in ROUGES}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(sum(row[name] for row in rows) / len(rows), 1) for name in ROUGES}


def _cut(text: str, length: int) -> str:
    return " ".join(text.split()[:length])


def _key(chat: Chat) -> Any:
    return tuple((turn["role"], turn["content"]) for turn in chat)


def _known_answers() -> dict[Any, tuple[str, bool]]:
    if not RESULT.exists():
        return {}
    answers = json.loads(RESULT.read_text(encoding="utf-8"))["figures"]["answers"]
    return {tuple(map(tuple, json.loads(chat))): (text, done) for chat, (text, done) in answers.items()}
