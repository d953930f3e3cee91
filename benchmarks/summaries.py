"""Summaries of meetings with reference summaries: inventions, support, ROUGE, seconds; every prompt and answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.answers import KeptAnswers, RecitingChatModel
from benchmarks.report import REPOSITORY
from inference.models.fetching import ensure_model
from inference.summarization.centrality import centralities, weigh
from inference.summarization.chat import Answer, ChatModel
from inference.summarization.prompts import ask
from inference.summarization.selection import Evidence, select
from inference.summarization.summarizer import ChatSummarizer, ExtractiveSummarizer
from inference.summarization.summary import ItemKind, SpokenUtterance, Summary, SummaryRequest
from inference.summarization.support import number_runs
from inference.summarization.utterances import SpokenSentence, sentences_of, tidy
from inference.summarization.words import FUNCTION_WORDS, words_of
from inference.summarization.writing import checked

AUDIO = REPOSITORY.parent / "shared" / "audio"
MODEL = "qwen2.5-coder-0.5b"
QUICK = 2
WORDS_A_SECOND = 2.5
"""Assumed rate, because QMSum's transcripts have no times."""
ROUGES = ("rouge1", "rouge2", "rougeL")
WITHIN_S = 3_600.0


def run(*, audio: Path = AUDIO, quick: bool = False, pattern: str = "ami_*.json") -> dict[str, Any]:
    """Summarize every meeting in one run, like a recording, with the starter model and those it is compared with.

    Answers are cached under `bench/summaries` in the data folder, by model and meeting, and not requested again. Any
    other folder there with a model in its folder `weights` is compared too.
    """
    paths = sorted((audio / "summary").glob(pattern))[: QUICK if quick else None]
    meetings = [_Meeting.read(path) for path in paths]
    results = {name: [_result(meeting, name, answers) for meeting in meetings] for name, answers in _models().items()}
    return {
        "models": {name: _summed_up(rows) for name, rows in results.items()},
        "baselines": {
            name: _mean([row["rouge"][name] for row in results[MODEL]])
            for name in ("without a model", "lead", "central sentences")
        },
        "meetings": results,
    }


def _models() -> dict[str, KeptAnswers]:
    from django.conf import settings

    folder = settings.ENVIRONMENT.data / "bench" / "summaries"
    compared = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    others = {name: _kept(folder / name) for name in compared if name != MODEL}
    return {MODEL: KeptAnswers(folder / MODEL, lambda: ChatModel(ensure_model_folder())), **others}


def _kept(folder: Path) -> KeptAnswers:
    return KeptAnswers(folder, lambda: ChatModel(folder / "weights"))


def ensure_model_folder() -> Path:
    """Return the starter model's folder, fetching it if necessary."""
    from django.conf import settings

    from inference.models.catalog import find_model

    return ensure_model(find_model(MODEL), settings.ENVIRONMENT.models)


def _summed_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one model's figures over all meetings."""
    return {
        "rouge": _mean([row["rouge"]["ours"] for row in rows]),
        "items": sum(row["items"] for row in rows),
        "inventions": [invention for row in rows for invention in row["inventions"]],
        "topics": {name: sum(row["topics"][name] for row in rows) for name in ("written", "quoted")},
        "faults": dict(Counter(fault for row in rows for fault in row["faults"])),
        "cpu_s": round(sum(row["writing"]["cpu_s"] for row in rows), 1),
        "wall_s": round(sum(row["writing"]["wall_s"] for row in rows), 1),
    }


@dataclass(frozen=True, slots=True)
class _Meeting:
    """One recording with its reference."""

    name: str
    request: SummaryRequest
    reference: str
    topics: tuple[Evidence, ...]

    @classmethod
    def read(cls, path: Path) -> _Meeting:
        lines, reference = _read(path)
        chosen = select(sentences_of(lines), "en")
        topics = tuple(found for found in chosen if found.kind is ItemKind.TOPIC)
        return cls(path.stem, SummaryRequest(lines, "en"), reference, topics)


def _result(meeting: _Meeting, name: str, answers: KeptAnswers) -> dict[str, Any]:
    kept = answers.of(meeting.name, [ask(topic.sentences, "en") for topic in meeting.topics])
    lines, model = meeting.request.lines, RecitingChatModel(name, kept)
    ours = ChatSummarizer(model).summarize(meeting.request, within_s=WITHIN_S)  # type: ignore[arg-type]
    quoted = ExtractiveSummarizer().summarize(meeting.request, within_s=WITHIN_S)
    length = len(ours.text.split())
    texts = {
        "ours": ours.text,
        "without a model": quoted.text,
        "lead": _cut(" ".join(line.text for line in lines), length),
        "central sentences": _central(sentences_of(lines), length),
    }
    checks = [
        _faults(topic, Answer(text, done)) for topic, (_, text, done) in zip(meeting.topics, kept.answers, strict=True)
    ]
    return {
        "meeting": meeting.name,
        "words": length,
        "reference_words": len(meeting.reference.split()),
        "rouge": {name: _rouge(meeting.reference, text) for name, text in texts.items()},
        "items": len(ours.items),
        "topics": {
            "written": sum("supported" in faults for faults in checks),
            "quoted": sum("supported" not in faults for faults in checks),
        },
        "faults": [fault for faults in checks for fault in faults],
        "inventions": inventions(ours, lines),
        "summary": [{"kind": i.kind, "text": i.text, "owner": i.owner, "segments": i.segments} for i in ours.items],
        "writing": asdict(kept),
    }


def inventions(summary: Summary, lines: Sequence[SpokenUtterance]) -> list[str]:
    """Return names, numbers and products in `summary` that its cited captions lack; must be empty."""
    by_segment = {line.segment: line for line in lines}
    found = []
    for item in summary.items:
        cited = [by_segment[segment] for segment in item.segments]
        heard = " ".join(f"{line.name or ''} {line.text}" for line in cited)
        said = {word.lower() for word in words_of(heard)} | FUNCTION_WORDS["en"]
        names = [word for word in words_of(item.text)[1:] if word[0].isupper() and word.lower() not in said]
        # "eight, uh, five" is quoted without its filler, and is then a single number.
        spoken_numbers = number_runs(heard, "en") | number_runs(tidy(heard), "en")
        numbers = [word for run in number_runs(item.text, "en") - spoken_numbers for word in run]
        found += [f"{word} ({item.text})" for word in names + numbers]
    return found


def _faults(topic: Evidence, answer: Answer) -> list[str]:
    """Return the check results of an answer's statements."""
    return [str(check.fault or "supported") for check in checked(topic, answer)] or ["no statement"]


def _central(sentences: Sequence[SpokenSentence], length: int) -> str:
    """Return the extractive baseline: plain LexRank over the meeting, in meeting order, with as many words as ours."""
    ranks = centralities(weigh(sentences))
    chosen, words = set(), 0
    for place in sorted(range(len(sentences)), key=lambda place: -ranks[place]):
        if words >= length:
            break
        chosen.add(place)
        words += sentences[place].length
    return _cut(" ".join(sentences[place].text for place in sorted(chosen)), length)


def _read(path: Path) -> tuple[tuple[SpokenUtterance, ...], str]:
    """Return the captions and the reference: AMI's abstract, or QMSum's answer about the whole meeting."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if "transcript" not in data:
        return _read_qmsum(data)
    turns = enumerate(data["transcript"])
    lines = tuple(
        SpokenUtterance(f"c{at}", turn["start"], turn["end"], turn["text"], "en", turn["speaker_id"], turn["speaker"])
        for at, turn in turns
    )
    return lines, " ".join(data["reference_summary"]["abstract"])


def _read_qmsum(data: dict[str, Any]) -> tuple[tuple[SpokenUtterance, ...], str]:
    lines, start = [], 0.0
    for at, turn in enumerate(data["meeting_transcripts"]):
        end = start + len(turn["content"].split()) / WORDS_A_SECOND
        lines.append(SpokenUtterance(f"c{at}", start, end, turn["content"], "en", turn["speaker"], turn["speaker"]))
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
