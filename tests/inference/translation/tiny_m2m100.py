"""An M2M100 small enough to learn a few dozen sentences by heart in seconds: the real class, tokenizer and files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import sentencepiece
import torch

from inference.models.torchaudio_compat import import_transformers

if TYPE_CHECKING:
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
PIECES = 110
POSITIONS = 64
STEPS = 400
"""At most; about 100 are enough."""
SURE = 0.9
"""Least probability of every right token, at which training ends."""
TRIPLES = (
    ("We start on Monday.", "Começamos na segunda-feira.", "Empezamos el lunes."),
    ("Who wants to speak?", "Quem quer falar?", "¿Quién quiere hablar?"),
    ("The budget is approved.", "O orçamento está aprovado.", "El presupuesto está aprobado."),
    ("I do not agree.", "Eu não concordo.", "No estoy de acuerdo."),
    ("Thank you all.", "Obrigado a todos.", "Gracias a todos."),
    ("Can you hear me?", "Você me ouve?", "¿Me oyes?"),
    ("Good morning.", "Bom dia.", "Buenos días."),
    ("We need two more days.", "Precisamos de mais dois dias.", "Necesitamos dos días más."),
)
"""English, Portuguese, Spanish."""
LANGUAGES = ("en", "pt", "es")


def pairs() -> Iterator[tuple[str, str, str, str]]:
    """Source language, target language, sentence, translation: every direction of every triple."""
    for source, target in permutations(range(len(LANGUAGES)), 2):
        for triple in TRIPLES:
            yield LANGUAGES[source], LANGUAGES[target], triple[source], triple[target]


def build(folder: Path) -> Path:
    """Trains tokenizer and model, and writes them to `folder` as the hub's repositories are laid out."""
    torch.manual_seed(0)
    tokenizer = _train_tokenizer(folder)
    model = import_transformers().M2M100ForConditionalGeneration(_config(tokenizer))
    _learn(model, tokenizer)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _train_tokenizer(folder: Path) -> M2M100Tokenizer:
    sentences = [sentence for triple in TRIPLES for sentence in triple]
    prefix = folder / "sentencepiece.bpe"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_prefix=str(prefix), vocab_size=PIECES, minloglevel=2, num_threads=1
    )
    loaded = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    pieces = [loaded.id_to_piece(place) for place in range(loaded.get_piece_size())]
    names = [*SPECIAL, *(piece for piece in pieces if piece not in SPECIAL)]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({name: place for place, name in enumerate(names)}), encoding="utf-8")
    return import_transformers().M2M100Tokenizer(str(vocabulary), f"{prefix}.model")


def _config(tokenizer: M2M100Tokenizer) -> M2M100Config:
    return import_transformers().M2M100Config(
        vocab_size=len(tokenizer.encoder) + len(tokenizer.lang_code_to_id) + tokenizer.num_madeup_words,
        d_model=64,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_position_embeddings=POSITIONS,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
    )


def _learn(model: M2M100ForConditionalGeneration, tokenizer: M2M100Tokenizer) -> None:
    """Until it knows the sentences by heart; the labels are shifted by the model itself."""
    sources, labels = _batches(tokenizer)
    ignored = labels.masked_fill(labels == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        answer = model(input_ids=sources, attention_mask=sources != tokenizer.pad_token_id, labels=ignored)
        if _least_probability(answer.logits.detach(), ignored) > SURE:
            return
        answer.loss.backward()
        optimizer.step()
    raise AssertionError(f"The tiny model does not know its sentences after {STEPS} steps.")


def _least_probability(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Of all right tokens but the language's, which nothing in the source tells. Logits: (rows, tokens, pieces)."""
    logits, labels = logits[:, 1:], labels[:, 1:]
    right = logits.softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return float(right[labels >= 0].min())


def _batches(tokenizer: M2M100Tokenizer) -> tuple[torch.Tensor, torch.Tensor]:
    """All sentences and their translations: int64, shape (pairs, tokens), padded."""
    rows = list(pairs())
    sources = [_tokens(tokenizer, source, sentence) for source, _, sentence, _ in rows]
    labels = [_tokens(tokenizer, target, translation) for _, target, _, translation in rows]
    return _pad(sources, tokenizer.pad_token_id), _pad(labels, tokenizer.pad_token_id)


def _tokens(tokenizer: M2M100Tokenizer, language: str, text: str) -> torch.Tensor:
    tokens = tokenizer.encode(text, add_special_tokens=False)
    return torch.tensor([tokenizer.get_lang_id(language), *tokens, tokenizer.eos_token_id])


def _pad(rows: list[torch.Tensor], padding: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=padding)
