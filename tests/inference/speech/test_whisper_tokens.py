"""Prompts out of settings, with the tokenizer of the real Whisper base."""

from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers

from inference.speech.whisper_tokens import HOTWORD_TOKENS, Vocabulary


@pytest.fixture(scope="module")
def tokenizer(whisper_base: Path) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(whisper_base / "tokenizer.json"))


@pytest.fixture(scope="module")
def vocabulary(tokenizer: tokenizers.Tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer, multilingual=True)


def test_a_language_that_the_model_has_no_token_for_is_its_relative(
    vocabulary: Vocabulary, tokenizer: tokenizers.Tokenizer
) -> None:
    assert tokenizer.token_to_id("<|yue|>") is None
    assert vocabulary.start("yue") == vocabulary.start("zh")
    assert all(isinstance(token, int) for token in vocabulary.prompt("yue", hotwords=()))


@pytest.mark.parametrize("odd", ["<|endoftext|>", "<|startoftranscript|>", "<|pt|>", "Ana<|translate|>", "<|0.00|>"])
def test_a_vocabulary_steers_no_decoder(vocabulary: Vocabulary, odd: str) -> None:
    named = vocabulary.prompt("en", hotwords=("Parlance", odd))
    previous, *rest = named
    hotwords = rest[: len(named) - 1 - len(vocabulary.prompt("en", hotwords=()))]
    assert previous > vocabulary.end
    assert hotwords
    assert max(hotwords) < vocabulary.end


def test_a_vocabulary_leaves_room_for_the_text(vocabulary: Vocabulary) -> None:
    named = vocabulary.prompt("en", hotwords=("Parlance",) * 500 + ("Quintela",))
    start = vocabulary.prompt("en", hotwords=())
    assert len(named) == HOTWORD_TOKENS + 1 + len(start)
    last = vocabulary.prompt("en", hotwords=("Quintela",))[1 : -len(start)]
    assert named[: -len(start)][-len(last) :] == last
