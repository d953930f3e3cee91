"""transformers chat models, from weights in the hub's format or GGUF, with direct `generate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.models.device import CPU, Device
from inference.models.loading.component import Form
from inference.models.optimization.execution import Execution, torch_device
from inference.models.optimization.flags import Component, FlagChoices
from inference.models.torchaudio_compat import import_transformers
from inference.summarization.chat_weights import ChatSource, QuantizedBits, load_chat, load_quantized
from inference.summarization.prompts import Chat

if TYPE_CHECKING:
    import torch

IsDone = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's reply."""

    text: str
    is_complete: bool
    """False if time or tokens ran out before the end."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Speed of the last generation."""

    prompt_token_s: float
    """Seconds per prompt token."""
    step_s: float
    """Seconds per generated token, for a whole batch."""

    def expected_s(self, prompt_tokens: int, steps: int) -> float:
        """Return the seconds to read that many prompt tokens and generate that many steps."""
        return prompt_tokens * self.prompt_token_s + steps * self.step_s


class ChatModel:
    """Answers chats greedily and in batches. Not thread-safe.

    Holds one torch module, `network`, which may be moved between calls: inputs follow its weights.
    """

    def __init__(
        self,
        source: ChatSource,
        *,
        device: Device = CPU,
        runs_on: Device | None = None,
        dtype: str = "",
        bits: QuantizedBits | None = None,
        wishes: FlagChoices | None = None,
        label: str = "this chat model",
    ) -> None:
        """Load onto `device`. `runs_on` is the device that the pool moves it to, and determines its form.

        `dtype` is a torch dtype's name; the default is the choice in `wishes` (`optimization.flags`). With `bits`,
        linear layers are quantized to that many bits.

        Raises:
            ModelMissing: the weights are neither local nor downloadable.
            ModelCorrupt: the weights are truncated or invalid.
            QuantizationMissing: `bits` was given, but bitsandbytes is not installed.
            RowsDoNotFit: 4 `bits` on a CPU, with rows that are not a multiple of the block size.
        """
        self.label = label
        self.speed: Speed | None = None
        """None before the first answer."""
        self._execution = Execution(Component.SUMMARY, runs_on or device, wishes=wishes)
        form = Form((runs_on or device).kind, dtype or self._execution.tuning.precision)
        if bits is None:
            self._tokenizer, network = load_chat(source, form)
            self.network = network.to(torch_device(device))
        else:
            self._tokenizer, self.network = load_quantized(source, form, bits=bits, device=torch_device(device))
        self._execution.prepare(self.network)
        self._ends = _end_tokens(self.network.generation_config, self._tokenizer)
        # `generate` takes unspecified parameters from here, such as the publisher's repetition penalty.
        self.network.generation_config = import_transformers().GenerationConfig()

    def count_tokens(self, chats: Sequence[Chat]) -> int:
        """Return the number of prompt tokens for these chats, without padding."""
        return sum(len(self._tokenizer.encode(text, add_special_tokens=False)) for text in self._texts(chats))

    def answer(self, chats: Sequence[Chat], *, most_tokens: int, is_done: IsDone = lambda: False) -> list[Answer]:
        """Return one answer per chat, at most `most_tokens` tokens each. Stops when `is_done` is true after a token."""
        if not chats:
            return []
        batch = self._tokenizer(self._texts(chats), return_tensors="pt", padding=True, add_special_tokens=False)
        batch = batch.to(self.network.device)
        clock = _StepClock(is_done)
        with self._execution.step():
            generated = self.network.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                generation_config=self._config(most_tokens),
                stopping_criteria=import_transformers().StoppingCriteriaList([clock]),
            )
        self.speed = clock.speed(batch["input_ids"].numel()) or self.speed
        return [self._read(row) for row in generated[:, batch["input_ids"].shape[1] :].tolist()]

    def _texts(self, chats: Sequence[Chat]) -> list[str]:
        return [
            self._tokenizer.apply_chat_template(
                [dict(turn) for turn in chat], tokenize=False, add_generation_prompt=True
            )
            for chat in chats
        ]

    def _config(self, most_tokens: int) -> Any:
        """Return settings for greedy decoding, without any of the publisher's."""
        return import_transformers().GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=most_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._tokenizer.pad_token_id,
        )

    def _read(self, tokens: list[int]) -> Answer:
        ends = [place for place, token in enumerate(tokens) if token in self._ends]
        text = self._tokenizer.decode(tokens[: ends[0]] if ends else tokens, skip_special_tokens=True)
        return Answer(text.strip(), bool(ends))


class _StepClock:
    """Stops a generation on request and measures its steps."""

    def __init__(self, is_done: IsDone) -> None:
        self._is_done = is_done
        self._times = [time.perf_counter()]

    def __call__(self, tokens: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        self._times.append(time.perf_counter())
        return torch.full((tokens.shape[0],), self._is_done(), dtype=torch.bool, device=tokens.device)

    def speed(self, prompt_tokens: int) -> Speed | None:
        """Return the measured speed, or None if there were fewer than two steps, which are not representative."""
        steps = len(self._times) - 2
        if steps < 1:
            return None
        first, last = self._times[1], self._times[-1]
        return Speed((first - self._times[0]) / prompt_tokens, (last - first) / steps)


def _end_tokens(config: Any, tokenizer: Any) -> list[int]:
    """Return every token with which the publisher ends answers."""
    published = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    return sorted({token for token in (*published, tokenizer.eos_token_id) if token is not None})
