"""Load a summarizer by the name of its model."""

from __future__ import annotations

from pathlib import Path

from inference.models.catalog import MODELS, find_model
from inference.models.device import CPU, Device
from inference.models.loading import ModelMissing, check_sizes
from inference.summarization.chat import ChatModel
from inference.summarization.chat_weights import QuantizedBits
from inference.summarization.summarizer import ChatSummarizer


def chat_model_source(name_or_path: str, models: Path) -> Path | str:
    """Return the folder of a catalogue model under `models`, the operator's own folder or GGUF, or a hub name.

    Raises:
        ModelMissing: the catalogue model is not on this machine, or the path does not exist.
        ModelCorrupt: a file has the wrong size.
        UnknownModel: the argument is neither a catalogue name, a path, nor a hub name.
    """
    path = Path(name_or_path).expanduser()
    if name_or_path in {model.name for model in MODELS}:
        return check_sizes(find_model(name_or_path), models)
    if path.exists():
        return path
    if path.is_absolute() or name_or_path.startswith((".", "~")) or name_or_path.count("/") > 1:
        raise ModelMissing(f"There is no folder {name_or_path}; name one that holds a chat model.")
    return name_or_path if "/" in name_or_path else check_sizes(find_model(name_or_path), models)


def load_summarizer(
    name_or_path: str, models: Path, *, device: Device = CPU, bits: QuantizedBits | None = None
) -> ChatSummarizer:
    """Return a summarizer for that model. Raises as `chat_model_source` and `ChatModel` do."""
    source = chat_model_source(name_or_path, models)
    return ChatSummarizer(ChatModel(source, device=device, bits=bits, label=Path(name_or_path).name))
