"""A Qwen2 small enough to learn two answers by heart in seconds: the real class, a real tokenizer, real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from inference.models.torchaudio_compat import import_transformers
from inference.summarization.prompts import Chat

SPECIAL = ("<pad>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message['role'] }} {{ message['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)
LESSONS: tuple[tuple[str, str], ...] = (
    ("what does it cost", "Ana said the price is high ."),
    ("who sells it and where is it sold and what is it called", "Ben sells it abroad ."),
)
ENDLESS = "tell me all"
"""Asked this, it never comes to an end."""
WIDTH = 64
"""Of a row of weights: one block of 4-bit weights, the least that a CPU can compute."""
STEPS = 300
SURE = 0.95
"""Least probability of every right token, at which training ends."""


def chat(text: str) -> Chat:
    """A chat of one message."""
    return ({"role": "user", "content": text},)


def build(folder: Path, *, width: int = WIDTH) -> Path:
    """Trains tokenizer and model, and writes them to `folder` as the hub's repositories are laid out."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    transformers = import_transformers()
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = transformers.Qwen2ForCausalLM(config)
    _learn(model, tokenizer)
    # As publishers do: what a greedy answer must not inherit.
    model.generation_config = transformers.GenerationConfig(
        do_sample=True,
        temperature=5.0,
        repetition_penalty=3.0,
        no_repeat_ngram_size=1,
        eos_token_id=[tokenizer.eos_token_id],
    )
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    texts = [text for lesson in LESSONS for text in lesson] + [ENDLESS, "user assistant more and"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    )
    learned = json.loads(tokenizer.to_str())["model"]
    return import_transformers().Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(merge) for merge in learned["merges"]],
        unk_token=None,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=TEMPLATE,
    )


def _learn(model: torch.nn.Module, tokenizer: Any) -> None:
    lessons = [*LESSONS, (ENDLESS, " ".join(["more and"] * 8))]
    tokens, labels = _batch([_lesson(tokenizer, asked, answer, ends=asked != ENDLESS) for asked, answer in lessons])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        # Padded on the right, so what pads is behind all that a token sees.
        answer = model(input_ids=tokens, labels=labels)
        if _least_probability(answer.logits.detach(), labels) > SURE:
            return
        answer.loss.backward()
        optimizer.step()
    raise AssertionError(f"The tiny model does not know its answers after {STEPS} steps.")


def _lesson(tokenizer: Any, question: str, answer: str, *, ends: bool) -> tuple[list[int], list[int]]:
    """Tokens and labels; only the answer is learned."""
    turns = [dict(turn) for turn in chat(question)]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    asked = tokenizer.encode(prompt, add_special_tokens=False)
    answered = tokenizer.encode(answer, add_special_tokens=False) + ([tokenizer.eos_token_id] if ends else [])
    return asked + answered, [-100] * len(asked) + answered


def _batch(lessons: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Both int64 of shape (lessons, longest)."""
    longest = max(len(tokens) for tokens, _ in lessons)
    return (
        torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in lessons]),
        torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in lessons]),
    )


def _least_probability(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Of all right tokens. Logits: (lessons, tokens, vocabulary)."""
    wanted = labels[:, 1:]
    right = logits[:, :-1].softmax(-1).gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
    return float(right[wanted >= 0].min())
