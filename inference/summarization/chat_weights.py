"""Chat model weights: hub files, a hub repository, or a GGUF file that is unpacked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.loading.component import Component, Form, NotMappable
from inference.models.loading.hub import HubNetwork
from inference.models.loading.strategy import load
from inference.models.residency.sizes import FOUR_BIT_BLOCK, broken_rows
from inference.models.torchaudio_compat import import_transformers
from inference.summarization.gguf_conversion import find_unpacked, unpacked

if TYPE_CHECKING:
    import torch

NAME = "chat"
ARCHITECTURE = "AutoModelForCausalLM"
PROBE_TOKENS = 16

QuantizedBits = Literal[4, 8]
ChatSource = str | Path
"""A folder, a GGUF file, or a hub repository."""


class QuantizationMissing(RuntimeError):
    """8 or 4 bits were requested, but bitsandbytes is not installed."""


class RowsDoNotFit(RuntimeError):
    """4 bits were requested on a CPU, but the weights' rows are not a multiple of the block size."""


@dataclass(frozen=True, slots=True)
class GgufChat:
    """`Component` that unpacks a GGUF file once and loads the result in the requested form."""

    gguf: Path
    name = NAME

    @property
    def folder(self) -> Path:
        return self.gguf.parent

    @property
    def sources(self) -> tuple[Path, ...]:
        return (self.gguf,)

    def read(self, form: Form) -> Any:
        """Unpack first, then read. If the result cannot be stored, the GGUF is read every time."""
        import torch

        if (folder := unpacked(self.gguf)) is not None:
            return _hub_network(folder).read(form)
        make = getattr(import_transformers(), ARCHITECTURE)
        dtype = getattr(torch, form.dtype)
        return make.from_pretrained(self.folder, gguf_file=self.gguf.name, dtype=dtype).eval()

    def map(self, form: Form) -> Any:
        """Map the unpacked weights. Raises NotMappable if the GGUF was not unpacked yet."""
        if (folder := find_unpacked(self.gguf)) is None:
            raise NotMappable(f"{self.gguf.name} is packed, and was not unpacked yet")
        return _hub_network(folder).map(form)

    def write_settings(self, network: Any, folder: Path) -> None:
        _hub_network(unpacked(self.gguf) or self.folder).write_settings(network, folder)

    def build(self, folder: Path) -> Any:
        return _hub_network(folder).build(folder)

    def probe(self, network: Any) -> torch.Tensor:
        return _probe(network)


def chat_component(source: ChatSource) -> Component:
    """Return the network of `source`.

    Raises:
        ModelMissing: the folder does not hold a chat model.
    """
    path = Path(source)
    gguf = gguf_of(path)
    if (path.is_dir() and not gguf and not (path / "config.json").is_file()) or (gguf and not gguf.is_file()):
        raise ModelMissing(
            f"{path} holds no chat model; name a folder with a GGUF file or with a model of transformers."
        )
    return GgufChat(gguf) if gguf else _hub_network(source)


def gguf_of(folder: Path) -> Path | None:
    """Return the GGUF in `folder`, which may itself be a GGUF file; None if the folder holds another format."""
    if folder.suffix == ".gguf":
        return folder
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() and not (folder / "config.json").is_file() else []
    return files[0] if files else None


def load_chat(source: ChatSource, form: Form) -> tuple[Any, Any]:
    """Return tokenizer and network, on the host.

    Raises:
        ModelMissing: the weights are neither local nor downloadable.
        ModelCorrupt: the weights are truncated or invalid.
    """
    component = chat_component(source)
    with _told(source):
        loaded = load(component, form)
        return _tokenizer(component, loaded.folder), loaded.network


def can_quantize() -> bool:
    """Return whether bitsandbytes is installed."""
    return find_spec("bitsandbytes") is not None


def require_quantization(bits: QuantizedBits) -> None:
    """Raise QuantizationMissing if bitsandbytes is not installed."""
    if not can_quantize():
        raise QuantizationMissing(
            f"Keeping the summary model in {bits} bits needs the package bitsandbytes; run `pip install bitsandbytes`, "
            "or let PARLANCE_SUMMARY_BITS be 16."
        )


def require_whole_blocks(config: Any, *, label: object) -> None:
    """Raise RowsDoNotFit if a CPU cannot compute the network that `config` describes in 4 bits.

    Weights share a scale per block, counted through the whole layer. On processors with AVX-512, bitsandbytes counts
    blocks per row. A block that spans two rows then silently gets another row's scale.
    """
    if lengths := broken_rows(config):
        raise RowsDoNotFit(
            f"The summary model {label} cannot be kept in 4 bits on a CPU: it has rows of {lengths[0]} weights, "
            f"which is no multiple of {FOUR_BIT_BLOCK}; let PARLANCE_SUMMARY_BITS be 8 or 16."
        )


def load_quantized(source: ChatSource, form: Form, *, bits: QuantizedBits, device: torch.device) -> tuple[Any, Any]:
    """Return tokenizer and network on `device`, with linear layers in that many bits and the rest in the form's dtype.

    bitsandbytes (Dettmers et al. 2022, arXiv 2208.07339; 2023, arXiv 2305.14314) quantizes while reading, so only the
    standard strategy applies. Raises as `load_chat` does, and QuantizationMissing and RowsDoNotFit.
    """
    import torch

    transformers = import_transformers()
    require_quantization(bits)
    how = {"load_in_8bit": True} if bits == 8 else {"load_in_4bit": True, "bnb_4bit_compute_dtype": torch.bfloat16}
    component = chat_component(source)
    with _told(source):
        origin, packed = _origin(component)
        if bits == 4 and device.type == "cpu":
            require_whole_blocks(transformers.AutoConfig.from_pretrained(origin, **packed), label=source)
        network = getattr(transformers, ARCHITECTURE).from_pretrained(
            origin,
            **packed,
            dtype=getattr(torch, form.dtype),
            quantization_config=transformers.BitsAndBytesConfig(**how),
            device_map={"": device},
        )
        _keep_as_packed(network)
        return _tokenizer(component, None), network


def _keep_as_packed(network: Any) -> None:
    """Keep 4-bit weights as they were loaded.

    On a CPU with AVX-512 BF16, bitsandbytes repacks each layer at its first call. A copy of the weights made before
    that would restore bytes that the layer can no longer read.
    """
    for part in network.modules():
        if hasattr(part, "support_avx512bf16_for_cpu"):
            part.support_avx512bf16_for_cpu = False


@contextmanager
def _told(source: ChatSource) -> Iterator[None]:
    """Convert the libraries' errors to ones that name the remedy."""
    from safetensors import SafetensorError

    import_transformers().utils.logging.disable_progress_bar()
    try:
        yield
    except OSError as error:
        raise ModelMissing(
            f"The summary model {source} is not on this machine and could not be fetched from the hub "
            f"({type(error).__name__}); check the network, or name a folder that holds a chat model."
        ) from error
    except SafetensorError as error:
        raise ModelCorrupt(
            f"The weights of {source} are damaged ({error}); delete what was unpacked of them, and run "
            "`manage.py models fetch`."
        ) from error


def _hub_network(origin: ChatSource) -> HubNetwork:
    return HubNetwork(NAME, origin, ARCHITECTURE, lambda target: _write_tokenizer(origin, target), _probe)


def _origin(component: Component) -> tuple[ChatSource, dict[str, str]]:
    """Return the source of tokenizer and weights, and keyword arguments for loading them."""
    if isinstance(component, HubNetwork):
        return component.origin, {}
    assert isinstance(component, GgufChat)
    folder = unpacked(component.gguf)
    return (folder, {}) if folder else (component.folder, {"gguf_file": component.gguf.name})


def _tokenizer(component: Component, snapshot: Path | None) -> Any:
    """Return the tokenizer, set up for batches: padded on the left, where a text begins."""
    origin, packed = (snapshot, {}) if snapshot else _origin(component)
    tokenizer = import_transformers().AutoTokenizer.from_pretrained(origin, **packed)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _write_tokenizer(origin: ChatSource, target: Path) -> None:
    import_transformers().AutoTokenizer.from_pretrained(origin).save_pretrained(target)


def _probe(network: Any) -> torch.Tensor:
    """Return the logits after a few fixed tokens: float32, shape (1, vocabulary)."""
    import torch

    logits: torch.Tensor = network(torch.arange(PROBE_TOKENS)[None]).logits[:, -1]
    return logits.float()
