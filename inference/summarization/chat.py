"""Chat models of transformers, with their weights in the hub's own format or as GGUF, and direct `generate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference.device import CPU, Device
from inference.loading import ModelCorrupt, ModelMissing
from inference.optimization.execution import Execution
from inference.optimization.flags import Component, Wishes
from inference.summarization.prompts import Chat
from inference.summarization.unpacking import unpacked
from inference.translation.m2m100 import import_transformers

if TYPE_CHECKING:
    import torch

Bits = Literal[4, 8]
IsDone = Callable[[], bool]


class QuantizationMissing(RuntimeError):
    """Weights were to be kept in 8 or 4 bits, and the package that does it is not installed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model wrote."""

    text: str
    is_complete: bool
    """False: it was still writing when its time or its tokens ran out."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What the last generation took."""

    prompt_token_s: float
    """Seconds for each token that was read."""
    step_s: float
    """Seconds for one more token of every answer of a batch."""

    def expected_s(self, prompt_tokens: int, steps: int) -> float:
        """Seconds to read that many tokens, and to write that many of them one after the other."""
        return prompt_tokens * self.prompt_token_s + steps * self.step_s


class ChatModel:
    """Answers chats greedily, several at once. Not to be called from two threads at once.

    A plain holder of one torch module, `network`, which may be moved between calls: inputs go where its weights are.
    """

    def __init__(
        self,
        folder_or_name: str | Path,
        *,
        device: Device = CPU,
        dtype: str = "",
        bits: Bits | None = None,
        wishes: Wishes | None = None,
        label: str = "this chat model",
    ) -> None:
        """Loads a folder, with a GGUF or the hub's own files, or a repository of the hub.

        `dtype` is a torch type's name; by default float32 on a CPU and bfloat16 on a GPU. With `bits`, linear layers
        stay in that many bits on a GPU (bitsandbytes; Dettmers et al. 2022, arXiv 2208.07339; 2023, arXiv 2305.14314).
        `wishes`: see `inference.optimization.flags`; `dtype` stands above them.

        Raises:
            ModelMissing: the weights are neither here nor to be had.
            ModelCorrupt: the weights are cut off, or are none.
            QuantizationMissing: `bits` without bitsandbytes.
        """
        import torch

        self.label = label
        self.speed: Speed | None = None
        """None before the first answer."""
        self._execution = Execution(Component.SUMMARY, device, wishes=wishes)
        weights = getattr(torch, dtype) if dtype else self._execution.dtype
        self._tokenizer, self.network = _load(folder_or_name, dtype=weights, bits=bits, device=device)
        if bits is None:
            self.network = self.network.to(self._execution.torch_device)
        self._execution.prepare(self.network)
        self._ends = _end_tokens(self.network.generation_config, self._tokenizer)

    def count_tokens(self, chats: Sequence[Chat]) -> int:
        """How many tokens the model reads for these chats, without padding."""
        return sum(len(self._tokenizer.encode(text, add_special_tokens=False)) for text in self._texts(chats))

    def answer(self, chats: Sequence[Chat], *, most_tokens: int, is_done: IsDone = lambda: False) -> list[Answer]:
        """One answer a chat, at most `most_tokens` tokens each; asks `is_done` after every token and stops then."""
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
        """Greedy, and nothing of what the publisher set beside."""
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
    """Stops a generation when it is told to, and takes the time of its steps."""

    def __init__(self, is_done: IsDone) -> None:
        self._is_done = is_done
        self._times = [time.perf_counter()]

    def __call__(self, tokens: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        self._times.append(time.perf_counter())
        return torch.full((tokens.shape[0],), self._is_done(), dtype=torch.bool, device=tokens.device)

    def speed(self, prompt_tokens: int) -> Speed | None:
        """None for a generation of fewer than two steps, which tells nothing about later ones."""
        steps = len(self._times) - 2
        if steps < 1:
            return None
        first, last = self._times[1], self._times[-1]
        return Speed((first - self._times[0]) / prompt_tokens, (last - first) / steps)


def gguf_of(folder: Path) -> Path | None:
    """The GGUF in `folder`, which may be such a file itself; None where the folder holds a model of another form."""
    if folder.suffix == ".gguf":
        return folder
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() and not (folder / "config.json").is_file() else []
    return files[0] if files else None


def _load(folder_or_name: str | Path, *, dtype: torch.dtype, bits: Bits | None, device: Device) -> tuple[Any, Any]:
    path = Path(folder_or_name)
    gguf = gguf_of(path)
    if (path.is_dir() and not gguf and not (path / "config.json").is_file()) or (gguf and not gguf.is_file()):
        raise ModelMissing(
            f"{path} holds no chat model; name a folder with a GGUF file or with a model of transformers."
        )
    from safetensors import SafetensorError

    transformers = import_transformers()
    transformers.utils.logging.disable_progress_bar()
    options = {"dtype": dtype, **_quantization(transformers, bits, device)}
    try:
        folder = unpacked(transformers, gguf) if gguf else None
        origin = folder or (gguf.parent if gguf else folder_or_name)
        source = {"gguf_file": gguf.name} if gguf and not folder else {}
        tokenizer = transformers.AutoTokenizer.from_pretrained(origin, **source)
        network = transformers.AutoModelForCausalLM.from_pretrained(origin, **source, **options)
    except OSError as error:
        raise ModelMissing(
            f"The summary model {folder_or_name} is not on this machine and could not be fetched from the hub "
            f"({type(error).__name__}); check the network, or name a folder that holds a chat model."
        ) from error
    except SafetensorError as error:
        raise ModelCorrupt(
            f"The weights in {origin} are damaged ({error}); delete that folder, and run `manage.py models fetch`."
        ) from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, network


def _quantization(transformers: Any, bits: Bits | None, device: Device) -> dict[str, Any]:
    if bits is None:
        return {}
    if not transformers.utils.is_bitsandbytes_available():
        raise QuantizationMissing(
            f"Keeping the summary model in {bits} bits needs the package bitsandbytes and a GPU; "
            "install it, or choose 16 bits."
        )
    import torch

    how = {"load_in_8bit": True} if bits == 8 else {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.bfloat16}
    return {
        "quantization_config": transformers.BitsAndBytesConfig(**how),
        "device_map": {"": Execution(Component.SUMMARY, device).torch_device},
    }


def _end_tokens(config: Any, tokenizer: Any) -> list[int]:
    """Every token that the publisher ends answers with."""
    published = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    return sorted({token for token in (*published, tokenizer.eos_token_id) if token is not None})
