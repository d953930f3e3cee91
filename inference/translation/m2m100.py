"""M2M100 through transformers: a hundred languages, any to any, with one model (Fan et al. 2020, arXiv 2010.11125).

A source sentence is `[source language] tokens </s>`, and the decoder begins with `</s> [target language]`. Both
language tokens are set per row, so one batch can hold every direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.models.device import CPU, Device
from inference.models.loading.component import Form
from inference.models.optimization.execution import Execution, torch_device
from inference.models.optimization.flags import Component, FlagChoices
from inference.models.torchaudio_compat import import_transformers
from inference.translation.captions import SourceSentence, translate_captions
from inference.translation.m2m100_weights import M2M100Source, load_m2m100
from inference.translation.pairs import M2M100_CODES, m2m100_targets
from inference.translation.translator import Translation, TranslationRequest, require_pairs

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig

LENGTH_FACTOR = 2
"""Maximum ratio of a translation's tokens to its source's; a longer one is a loop."""
SPARE_TOKENS = 10
"""Additional tokens, for sentences of a word or two."""
TRANSLATION_CPU_BATCH = 8
TRANSLATION_GPU_BATCH = 64

Stop = Callable[..., "torch.Tensor"]


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence as model input."""

    tokens: tuple[int, ...]
    target: int
    """The language token that the translation begins with."""

    @property
    def cap(self) -> int:
        """Maximum tokens of the translation, including language token and end."""
        return LENGTH_FACTOR * len(self.tokens) + SPARE_TOKENS


class M2M100Translator:
    """`inference.translation.translator.Translator` with M2M100ForConditionalGeneration.

    Batches hold sentences of similar length in any languages. A row's text is independent of the others, except for
    rounding.
    """

    longest = 400
    """Characters: a sentence or two. The model was trained on single sentences."""

    def __init__(
        self,
        source: M2M100Source,
        *,
        device: Device = CPU,
        runs_on: Device | None = None,
        wishes: FlagChoices | None = None,
        beams: int = 1,
        max_batch: int = 0,
        label: str = "this translation model",
    ) -> None:
        """Load a folder or a hub repository onto `device`; `runs_on` is the device that the pool moves it to.

        `wishes` are the choices of `inference.models.optimization.flags`.

        Raises:
            ModelMissing: the weights are neither local nor downloadable.
        """
        target = runs_on or device
        self._execution = Execution(Component.TRANSLATION, target, wishes=wishes)
        self._device = self._execution.torch_device
        form = Form(target.kind, self._execution.tuning.precision)
        self._tokenizer, network = load_m2m100(source, form)
        self.model = network.to(torch_device(device))
        self._execution.prepare(self.model)
        self._quick, self._careful = _generation_configs(self.model.config, beams)
        # The publisher's settings (five beams, 200 tokens) must not replace values left unset here.
        self.model.generation_config = self._quick
        self._positions = self.model.config.max_position_embeddings
        self._max_batch = max_batch or (TRANSLATION_CPU_BATCH if target.kind == "cpu" else TRANSLATION_GPU_BATCH)
        self.longest = min(self.longest, self._positions - 3)
        self.label = label

    def targets(self, source: str) -> frozenset[str]:
        """Return the languages available from `source`."""
        return m2m100_targets(source)

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """Translate each request, in order. Raises PairNotOffered."""
        require_pairs(self, requests)
        return translate_captions(self, requests)

    def render(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate with the number of beams given to the constructor."""
        return self._generate(sentences, self._quick)

    def render_carefully(self, sentences: Sequence[SourceSentence]) -> list[str]:
        """Translate with five beams and without repeated sequences of three tokens, which prevents loops."""
        return self._generate(sentences, self._careful)

    def _generate(self, sentences: Sequence[SourceSentence], config: GenerationConfig) -> list[str]:
        rows = [self.row(sentence) for sentence in sentences]
        places = sorted(range(len(rows)), key=lambda place: len(rows[place].tokens))
        texts = [""] * len(rows)
        for first in range(0, len(places), self._max_batch):
            batch = places[first : first + self._max_batch]
            for place, text in zip(batch, self._generate_batch([rows[place] for place in batch], config), strict=True):
                texts[place] = text
        return texts

    def row(self, sentence: SourceSentence) -> Row:
        """Return `sentence` as model input, cut to the model's positions."""
        # Text that looks like a special token is encoded as plain text.
        tokens = self._tokenizer.encode(sentence.text, add_special_tokens=False, split_special_tokens=True)
        room = self._positions - 2
        source = [self._language(sentence.source), *tokens[:room], self._tokenizer.eos_token_id]
        return Row(tuple(source), self._language(sentence.target))

    def _language(self, code: str) -> int:
        return int(self._tokenizer.get_lang_id(M2M100_CODES.get(code, code)))

    def _generate_batch(self, rows: Sequence[Row], config: GenerationConfig) -> list[str]:
        import torch

        transformers = import_transformers()
        tokens, mask = self._padded(rows)
        starts = [[config.decoder_start_token_id, row.target] for row in rows]
        config = copy(config)
        config.max_new_tokens = min(max(row.cap for row in rows), self._positions - 2)
        with self._execution.step():
            generated = self.model.generate(
                input_ids=tokens,
                attention_mask=mask,
                decoder_input_ids=torch.tensor(starts, device=self._device),
                generation_config=config,
                stopping_criteria=transformers.StoppingCriteriaList([_stop_at_caps([row.cap for row in rows])]),
            )
        spoken = generated[:, len(starts[0]) :]
        texts: list[str] = self._tokenizer.batch_decode(spoken, skip_special_tokens=True)
        return texts

    def _padded(self, rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens and attention mask, both int64 of shape (rows, longest row)."""
        import torch

        width = max(len(row.tokens) for row in rows)
        padding = self._tokenizer.pad_token_id
        tokens = [[*row.tokens, *[padding] * (width - len(row.tokens))] for row in rows]
        mask = [[1] * len(row.tokens) + [0] * (width - len(row.tokens)) for row in rows]
        return torch.tensor(tokens, device=self._device), torch.tensor(mask, device=self._device)


def _generation_configs(config: Any, beams: int) -> tuple[GenerationConfig, GenerationConfig]:
    """Return the generation settings for the first attempt and for a retry after nonsense."""
    transformers = import_transformers()
    tokens = {
        "decoder_start_token_id": config.decoder_start_token_id,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
        "do_sample": False,
    }
    quick = transformers.GenerationConfig(**tokens, num_beams=beams)
    careful = transformers.GenerationConfig(**tokens, num_beams=5, no_repeat_ngram_size=3, repetition_penalty=1.2)
    return quick, careful


def _stop_at_caps(caps: Sequence[int]) -> Stop:
    """Return a criterion that ends each row at its own cap, so that a long row does not let a short one run on."""

    def stop(tokens: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        rows = torch.tensor(caps, device=tokens.device).repeat_interleave(tokens.shape[0] // len(caps))
        return rows <= tokens.shape[1]

    return stop
