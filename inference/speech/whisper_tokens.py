"""Whisper's tokens: prompts out of settings, words out of tokens."""

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
"""Longest vocabulary that goes into a prompt; the decoder's 448 positions hold the text as well."""

RELATED = {"yue": "zh"}
"""Languages that only later models have a token for, with the one that earlier models were taught them as."""


class Vocabulary:
    """Turns settings into prompts, and tokens into words, for one Whisper model."""

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
        """The tokens that open a transcript."""
        return list(self._in_language(language).sot_sequence)

    def prompt(self, language: str, *, hotwords: Sequence[str], prefix: Sequence[int]) -> list[int]:
        """What the decoder is given: hotwords as if said before, the opening tokens, the words already decided.

        Hotwords that are spelled like special tokens (`<|endoftext|>`) are left out: they would steer the decoder.
        """
        tokenizer = self._in_language(language)
        before: list[int] = []
        if hotwords:
            before = [tokenizer.sot_prev, *self.plain(tokenizer.encode(" " + ", ".join(hotwords)))[:HOTWORD_TOKENS]]
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps, *prefix]

    def suppressed(self) -> list[int]:
        """Tokens never to be written: special ones, and the signs of sound descriptions."""
        tokenizer = self._in_language("en")
        special = (tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm)
        return sorted({*tokenizer.non_speech_tokens, *special, tokenizer.no_speech})

    @property
    def opening(self) -> int:
        """The token that every transcript opens with; after it comes the language."""
        return int(self._in_language("en").sot)

    @property
    def end(self) -> int:
        """The token that ends a text; those of text are smaller, special ones larger."""
        return int(self._in_language("en").eot)

    @property
    def no_speech(self) -> int:
        """The token that says that nobody speaks."""
        return int(self._in_language("en").no_speech)

    @property
    def no_timestamps(self) -> int:
        """The token after which no times are written."""
        return int(self._in_language("en").no_timestamps)

    def blank(self) -> list[int]:
        """What a text must not begin with: nothing, and its end."""
        return [*self._in_language("en").encode(" "), self.end]

    def languages(self) -> dict[int, str]:
        """Codes by token, in the order of the tokens; they lie between the opening and the task."""
        first, after = self.opening + 1, int(self._in_language("en").translate)
        return {token: str(self._tokenizer.id_to_token(token)).strip("<|>") for token in range(first, after)}

    def plain(self, tokens: Sequence[int]) -> list[int]:
        """The tokens without special ones."""
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
        """The words that `tokens` spell.

        `alignment` holds (token index, encoder frame) in rising order along the cross-attention path; its last index,
        len(tokens), is the end of the text. `probabilities` is one a token.
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
    """Punctuation joins the word before it: it is no word of its own, and its time means nothing."""
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
