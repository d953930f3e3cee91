"""Whisper's tokens: build prompts from settings and words from tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from inference.speech.asr import DecodedWord

if TYPE_CHECKING:
    import tokenizers
    from faster_whisper.tokenizer import Tokenizer

FRAME = 0.02
"""Seconds between two positions of the encoder's output."""

HOTWORD_TOKENS = 100
"""Maximum vocabulary tokens in a prompt, the last ones as with OpenAI; the decoder's 448 positions must also hold the
text.
"""

RELATED = {"yue": "zh"}
"""Languages with a token only in later models, mapped to the one used by earlier models."""


class Vocabulary:
    """Converts settings to prompts and tokens to words for one Whisper model."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, *, multilingual: bool) -> None:
        self._tokenizer = tokenizer
        self._multilingual = multilingual
        self._in_language = cache(self._load)

    def _load(self, language: str) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        if self._tokenizer.token_to_id(f"<|{language}|>") is None:
            language = RELATED.get(language, language)
        return Tokenizer(self._tokenizer, self._multilingual, task="transcribe", language=language)

    def start(self, language: str) -> list[int]:
        """Return the tokens that open a transcript."""
        return list(self._in_language(language).sot_sequence)

    def prompt(self, language: str, *, hotwords: Sequence[str]) -> list[int]:
        """Return the decoder's prompt: hotwords as preceding text, and the opening tokens.

        Special tokens in hotwords (`<|endoftext|>`) are dropped, because they would control the decoder.
        """
        tokenizer = self._in_language(language)
        before: list[int] = []
        if hotwords:
            before = [tokenizer.sot_prev, *self.plain(tokenizer.encode(" " + ", ".join(hotwords)))[-HOTWORD_TOKENS:]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def suppressed(self) -> list[int]:
        """Return tokens that must not be generated: special ones, and the symbols of sound descriptions."""
        tokenizer = self._in_language("en")
        special = (tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm)
        return sorted({*tokenizer.non_speech_tokens, *special, tokenizer.no_speech})

    @property
    def opening(self) -> int:
        """The token that opens every transcript; the language follows it."""
        return int(self._in_language("en").sot)

    @property
    def end(self) -> int:
        """The token that ends a text. Text tokens are smaller, special ones larger."""
        return int(self._in_language("en").eot)

    @property
    def no_speech(self) -> int:
        """The token for the absence of speech."""
        return int(self._in_language("en").no_speech)

    @property
    def no_timestamps(self) -> int:
        """The token that disables timestamps."""
        return int(self._in_language("en").no_timestamps)

    def blank(self) -> list[int]:
        """Return the tokens that must not begin a text: a space and the end token."""
        return [*self._in_language("en").encode(" "), self.end]

    def languages(self) -> dict[int, str]:
        """Return codes by token, in token order. They lie between the opening token and the task tokens."""
        first, after = self.opening + 1, int(self._in_language("en").translate)
        return {token: str(self._tokenizer.id_to_token(token)).strip("<|>") for token in range(first, after)}

    def plain(self, tokens: Sequence[int]) -> list[int]:
        """Return the tokens without special ones."""
        end = self._in_language("en").eot
        return [token for token in tokens if token < end]

    def words(
        self,
        tokens: Sequence[int],
        *,
        language: str,
        alignment: Sequence[tuple[int, int]],
        probabilities: Sequence[float],
    ) -> tuple[DecodedWord, ...]:
        """Return the words that `tokens` spell.

        `alignment` holds (token index, encoder frame) in ascending order along the cross-attention path; its last
        index, len(tokens), is the end of the text. `probabilities` has one entry per token.
        """
        spellings, groups = self._in_language(language).split_to_word_tokens(list(tokens))
        first: dict[int, int] = {}
        for index, frame in alignment:
            first.setdefault(index, frame)
        last = alignment[-1][1] if alignment else 0
        words: list[DecodedWord] = []
        index = 0
        for spelling, group in zip(spellings, groups, strict=True):
            after = index + len(group)
            start, end = (first.get(place, last) * FRAME for place in (index, after))
            probability = sum(probabilities[index:after]) / len(group)
            words.append(DecodedWord(tuple(group), spelling, start, end, probability))
            index = after
        return _with_punctuation(words)


def _with_punctuation(words: Sequence[DecodedWord]) -> tuple[DecodedWord, ...]:
    """Attach punctuation to the preceding word; as a word its timing would be meaningless."""
    joined: list[DecodedWord] = []
    for word in words:
        is_mark = not any(character.isalnum() for character in word.spelling)
        if is_mark and joined:
            host = joined[-1]
            joined[-1] = DecodedWord(
                host.tokens + word.tokens, host.spelling + word.spelling, host.start, host.end, host.probability
            )
        else:
            joined.append(word)
    return tuple(joined)
