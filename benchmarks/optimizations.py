"""Optimizations: every flag on every network in pairs, modes, direct generation, and the whole pipeline.

Pairs alternate in one process, on one torch thread, and CPU times are compared, because the cores are shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from django.conf import settings

from benchmarks.subjects import Subject, subjects, unsqueezed, whisper_convolutions
from benchmarks.whole_pipeline import compare_pipelines
from inference.models.catalog import default_model, find_model
from inference.models.fetching import ensure_model
from inference.models.optimization.flags import (
    AUTOCAST,
    CHANNELS_LAST,
    COMPILE,
    FLAGS,
    INFERENCE_MODE,
    PRECISION,
    Component,
    Flag,
)
from inference.models.optimization.validation import (
    FLOAT32,
    HALF,
    ROUNDS,
    Agreement,
    MeasuredRun,
    ValidationVerdict,
    validate,
)
from inference.models.torchaudio_compat import import_transformers
from inference.summarization.chat import ChatModel

SLOW_S = 0.5
"""Seconds per run above which fewer pairs are measured."""
FEW = 5
HOPELESS_S = 3.0
"""Seconds above which one pair is enough."""
PIPELINE_TOKENS = 12
PIPELINE_PROMPT = "Say in one sentence what a budget is."

ON_CPU: tuple[tuple[Flag, str, Agreement], ...] = (
    (INFERENCE_MODE, "1", FLOAT32),
    (CHANNELS_LAST, "1", FLOAT32),
    (COMPILE, "1", FLOAT32),
    (AUTOCAST, "bfloat16", HALF),
    (PRECISION, "bfloat16", HALF),
)
"""Flags that apply on a CPU, the value to test, and the agreement criterion."""


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure on the CPU; `quick` runs few pairs, no compilation and not the whole pipeline."""
    torch.set_num_threads(1)
    environment = settings.ENVIRONMENT
    speakers = ensure_model(find_model("segmentation-campplus"), environment.models)
    chat = ChatModel(ensure_model(default_model("starter", "summary"), environment.models))
    whisper = ensure_model(find_model("whisper-base"), environment.models)
    found = list(subjects(speakers, whisper, chat))
    rounds = FEW if quick else ROUNDS
    flags = [row for subject in found for row in _flags(subject, rounds, is_compiled=not quick)]
    return {
        "clock": "processor time of the process, one thread of torch",
        "flags": flags,
        "modes": [_modes(subject, rounds) for subject in found[:2]],
        "one_dimensional_convolutions_as_images": _images(found[0], rounds),
        "generate": _generations(chat),
        "whole_pipeline": {} if quick else compare_pipelines(),
        "proposed": _proposed(flags),
    }


def table(figures: Mapping[str, Any]) -> str:
    """Return the flags as a table for a terminal."""
    lines = [f"{'flag':<16} {'network':<14} {'without':>9} {'with':>9} {'ratio':>6}  {'apart':>8}  verdict"]
    for row in figures["flags"]:
        times = f"{row['seconds_without']:>8.4f}s {row['seconds_with']:>8.4f}s {row['speedup']:>6.3f}"
        verdict = "pays" if row["pays"] else row["reason"]
        lines.append(f"{row['flag']:<16} {row['component']:<14} {times}  {row['error']:>8.1e}  {verdict}")
    return "\n".join(lines)


def _flags(subject: Subject, rounds: int, *, is_compiled: bool) -> Iterator[dict[str, Any]]:
    for flag, choice, agreement in ON_CPU:
        if subject.component in flag.applies["cpu"] and (flag is not COMPILE or is_compiled):
            without, with_it = subject.run({flag.name: flag.off}), subject.run({flag.name: choice})
            pairs = _pairs(with_it, rounds)
            verdict = validate(without, with_it, agreement=agreement, rounds=pairs, clock=time.process_time)
            yield {
                "flag": flag.name,
                "choice": choice,
                "component": str(subject.component),
                "weights": subject.weights,
                "criterion": agreement.criterion,
                **_rounded(verdict),
            }


def _pairs(run: MeasuredRun, most: int) -> int:
    started = time.process_time()
    run()
    seconds = time.process_time() - started
    return most if seconds < SLOW_S else FEW if seconds < HOPELESS_S else 1


def _modes(subject: Subject, rounds: int) -> dict[str, Any]:
    """Compare torch's three modes, starting with the default (gradients); weights require gradients here."""
    network = subject.network.requires_grad_(True)
    modes: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "grad": torch.enable_grad,
        "no_grad": torch.no_grad,
        "inference_mode": torch.inference_mode,
    }

    def pass_in(mode: str) -> MeasuredRun:
        def run() -> np.ndarray:
            with modes[mode]():
                return network(**subject.inputs).detach().numpy()

        return run

    pairs = {"no_grad to grad": ("grad", "no_grad"), "inference_mode to grad": ("grad", "inference_mode")}
    pairs["inference_mode to no_grad"] = ("no_grad", "inference_mode")
    verdicts = {
        name: _rounded(validate(pass_in(slow), pass_in(fast), rounds=rounds, clock=time.process_time))
        for name, (slow, fast) in pairs.items()
    }
    network.requires_grad_(False)
    return {"component": str(subject.component), **verdicts}


def _images(segmentation: Subject, rounds: int) -> dict[str, Any]:
    """Measure the alternative to channels_last for 3-D tensors, to which it does not apply: an image of height one."""

    def compared(subject: Subject) -> dict[str, Any]:
        image = Subject(subject.component, subject.weights, unsqueezed(subject.network), subject.inputs)
        return _rounded(validate(subject.run({}), image.run({}), rounds=rounds, clock=time.process_time))

    return {"segmentation": compared(segmentation), "whisper base, convolutions": compared(whisper_convolutions())}


def _generations(chat: ChatModel) -> dict[str, Any]:
    """Compare the same answer through `ChatModel.answer` and through transformers' pipeline."""
    talk = {"role": "user", "content": PIPELINE_PROMPT}
    pipeline = import_transformers().pipeline("text-generation", model=chat.network, tokenizer=chat._tokenizer)
    texts: dict[str, str] = {}

    def direct() -> np.ndarray:
        texts["direct"] = chat.answer([(talk,)], most_tokens=PIPELINE_TOKENS)[0].text
        return np.zeros(1)

    def piped() -> np.ndarray:
        answer = pipeline([talk], max_new_tokens=PIPELINE_TOKENS, do_sample=False, return_full_text=False)
        texts["pipeline"] = answer[0]["generated_text"].strip()
        return np.zeros(1)

    verdict = validate(piped, direct, rounds=FEW, clock=time.process_time)
    return {
        "tokens": PIPELINE_TOKENS,
        "same_text": texts["direct"] == texts["pipeline"],
        "seconds_pipeline": round(verdict.seconds_without, 4),
        "seconds_direct": round(verdict.seconds_with, 4),
        "ratio": round(verdict.speedup, 4),
    }


def _proposed(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return what AUTO should mean on a CPU, by flag and network; inference mode is always on, whatever it saves."""
    choices = {(row["flag"], row["component"]): row["choice"] for row in rows if row["pays"]}
    choices |= {(INFERENCE_MODE.name, str(component)): "1" for component in Component}
    return {
        flag.name: {
            str(component): choices.get((flag.name, str(component)), flag.off)
            for component in sorted(flag.applies.get("cpu", ()))
        }
        for flag in FLAGS
    }


def _rounded(verdict: ValidationVerdict) -> dict[str, Any]:
    figures = asdict(verdict)
    figures["quartiles"] = [round(value, 4) for value in verdict.quartiles]
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}
