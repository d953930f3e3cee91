"""Translate captions sentence by sentence: split, translate, filter nonsense, restore vocabulary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from inference.sentences import split_sentences
from inference.text import join_passages
from inference.translation.guard import has_words, translation_rejection, without_invented_brackets
from inference.translation.translator import Translation, TranslationRequest
from inference.translation.vocabulary import mask, only_terms, terms_lost, terms_said, unmask

_PICTURE = r"\u2190-\u21ff\u2600-\u27bf\U0001f000-\U0001faff"
_PICTURES = re.compile(rf"([{_PICTURE}][{_PICTURE}\u200d\ufe0f]*)")
"""Emoji and other pictures, one or several."""


@dataclass(frozen=True, slots=True)
class SourceSentence:
    """The part of a caption that a model translates."""

    text: str
    source: str
    target: str
    vocabulary: tuple[str, ...] = ()


class SentenceModel(Protocol):
    """A model that translates sentences. Returns one text per sentence, in order."""

    longest: int
    """Characters of the longest sentence that it translates well."""

    def render(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate quickly."""
        ...

    def render_carefully(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate differently, for sentences whose quick translation was nonsense."""
        ...


def translate_captions(model: SentenceModel, requests: Sequence[TranslationRequest]) -> list[Translation]:
    """Return one translation per request, in order. All sentences of all captions are passed to `model` together."""
    split = [_split(request, model.longest) for request in requests]
    rendered = iter(_translate(model, [sentence for sentences in split for sentence in sentences]))
    translations = []
    for request, sentences in zip(requests, split, strict=True):
        translations.append(_joined(request, sentences, [next(rendered) for _ in sentences]))
    return translations


def _joined(
    request: TranslationRequest, sentences: Sequence[SourceSentence], texts: Sequence[str | None]
) -> Translation:
    """Return the translation of the whole; the caption as it was said if no sentence has one."""
    pairs = list(zip(sentences, texts, strict=True))
    is_translated = None not in texts
    if not is_translated and all(text in (None, sentence.text) for sentence, text in pairs):
        return Translation(request.text, is_translated)
    passages = ((sentence.text, request.source) if text is None else (text, request.target) for sentence, text in pairs)
    return Translation(join_passages(passages), is_translated)


def _split(request: TranslationRequest, longest: int) -> list[SourceSentence]:
    """Return the sentences. Pictures stand for themselves, because models lose them."""
    return [
        SourceSentence(text, request.source, request.target, terms_said(text, request.vocabulary))
        for sentence in split_sentences(request.text, longest=longest)
        for text in filter(None, map(str.strip, _PICTURES.split(sentence)))
    ]


def _translate(model: SentenceModel, sentences: Sequence[SourceSentence]) -> list[str | None]:
    """Return the translations; None where the model's output is nonsense. Sentences without words stay unchanged."""
    texts: list[str | None] = [sentence.text for sentence in sentences]
    places = [place for place, sentence in enumerate(sentences) if _needs_model(sentence)]
    rendered = _render_guarded(model, [sentences[place] for place in places])
    kept = _keep_vocabulary(model, [sentences[place] for place in places], rendered)
    for place, text in zip(places, kept, strict=True):
        texts[place] = text
    return texts


def _needs_model(sentence: SourceSentence) -> bool:
    return has_words(sentence.text) and not only_terms(sentence.text, sentence.vocabulary)


def _render_guarded(model: SentenceModel, sentences: Sequence[SourceSentence]) -> list[str | None]:
    """Translate every sentence quickly, and the nonsensical ones again with care."""
    texts = _sensible(sentences, model.render(sentences))
    doubtful = [place for place, text in enumerate(texts) if text is None]
    if doubtful:
        again = [sentences[place] for place in doubtful]
        for place, text in zip(doubtful, _sensible(again, model.render_carefully(again)), strict=True):
            texts[place] = text
    return texts


def _sensible(sentences: Sequence[SourceSentence], rendered: Sequence[str]) -> list[str | None]:
    texts: list[str | None] = []
    for sentence, answer in zip(sentences, rendered, strict=True):
        text = without_invented_brackets(sentence.text, answer.strip())
        rejected = translation_rejection(sentence.text, text, spoken=sentence.source, target=sentence.target)
        texts.append(None if rejected else text)
    return texts


def _keep_vocabulary(
    model: SentenceModel, sentences: Sequence[SourceSentence], texts: Sequence[str | None]
) -> list[str | None]:
    """Return `texts` with the spoken terms restored; if that fails, the translation without them."""
    kept = list(texts)
    pairs = list(zip(sentences, texts, strict=True))
    losing = [place for place, (said, text) in enumerate(pairs) if text and terms_lost(text, said.vocabulary)]
    if losing:
        masked = _render_masked(model, [sentences[place] for place in losing])
        for place, text in zip(losing, masked, strict=True):
            kept[place] = text or kept[place]
    return kept


def _render_masked(model: SentenceModel, sentences: Sequence[SourceSentence]) -> list[str | None]:
    """Translate with each term masked by a made-up name; None if a name was lost."""
    masks = [mask(sentence.text, sentence.vocabulary) for sentence in sentences]
    masked = [replace(sentence, text=text) for sentence, (text, _) in zip(sentences, masks, strict=True)]
    rendered = _sensible(masked, model.render(masked))
    return [
        None if text is None else unmask(hidden, text, terms_by_mask)
        for text, (hidden, terms_by_mask) in zip(rendered, masks, strict=True)
    ]
