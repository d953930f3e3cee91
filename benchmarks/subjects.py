"""The networks used to judge optimizations, each with an input of realistic size."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import load_listener
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.models.loading.component import Form
from inference.models.optimization.execution import Execution
from inference.models.optimization.flags import EVERYTHING_OFF, Component, FlagChoices
from inference.models.torchaudio_compat import import_torchaudio, import_transformers
from inference.speech.whisper_weights import whisper_component

if TYPE_CHECKING:
    from inference.models.optimization.validation import MeasuredRun
    from inference.summarization.chat import ChatModel

PRINT_FRAMES = 298
"""Frames of three seconds, the longest speech in an embedding."""
TOKENS = 16
"""Tokens per input: enough to see the cost of a step, few enough for the slow variants."""
WHISPER_BASE = (80, 512, 3000)
"""Mel bands, width and frames of the convolutions of Whisper base."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One network and its inputs."""

    component: Component
    weights: str
    """`published`, or `random` if the published ones were unavailable."""
    network: nn.Module
    inputs: dict[str, Tensor]

    def run(self, wishes: FlagChoices) -> MeasuredRun:
        """Return a run of production forward passes with `wishes`, on a copy if the weights have to change."""
        execution = Execution(self.component, wishes=wishes)
        changes = execution.tuning.channels_last or execution.dtype != torch.float32
        network = deepcopy(self.network).to(execution.dtype) if changes else self.network
        prepared = execution.prepare(network)
        inputs = {
            name: tensor.to(execution.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in self.inputs.items()
        }

        def run() -> np.ndarray:
            with execution.step():
                return _numbers(prepared(**inputs))

        return run


def subjects(speakers: Path, whisper: Path, chat: ChatModel) -> Iterator[Subject]:
    """Yield one subject of each component."""
    torch.manual_seed(0)
    listener: Any = load_listener(speakers, wishes=EVERYTHING_OFF)
    window = 0.1 * torch.randn(1, 1, SEGMENTATION_WINDOW)
    yield Subject(Component.SEGMENTATION, "published", listener._segmenter._model, {"waveforms": window})
    frames = torch.randn(1, PRINT_FRAMES, 80)
    yield Subject(Component.CAMPPLUS, "published", listener._embedder._model, {"features": frames})
    speech = 0.1 * torch.randn(1, 1, 3 * SAMPLE_RATE)
    yield Subject(Component.WESPEAKER, "random", _wespeaker(), {"waveforms": speech})
    tokens = torch.arange(10, 10 + TOKENS)[None]
    yield Subject(Component.TRANSLATION, "random", _m2m100(), {"input_ids": tokens, "decoder_input_ids": tokens[:, :2]})
    yield Subject(Component.SUMMARY, "published", chat.network, {"input_ids": tokens})
    heard = torch.randn(1, WHISPER_BASE[0], WHISPER_BASE[2])
    inputs = {"input_features": heard, "decoder_input_ids": tokens[:, :2]}
    yield Subject(Component.SPEECH, "published", whisper_component(whisper).read(Form()), inputs)


def unsqueezed(network: nn.Module) -> nn.Module:
    """Return a copy whose 1-D convolutions process images of height one, channels last."""
    network = deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv1d):
                setattr(parent, name, _FlatImageConvolution(child))
    return network


def whisper_convolutions() -> Subject:
    """Return the two convolutions of Whisper base, with random weights."""
    bands, width, frames = WHISPER_BASE
    network = nn.Sequential(
        nn.Conv1d(bands, width, 3, padding=1), nn.GELU(), nn.Conv1d(width, width, 3, stride=2, padding=1), nn.GELU()
    )
    return Subject(
        Component.SEGMENTATION, "random", network.requires_grad_(False), {"input": torch.randn(1, bands, frames)}
    )


class _FlatImageConvolution(nn.Module):
    """A Conv1d as a Conv2d of height one, whose tensors have the four dimensions that channels_last needs."""

    def __init__(self, convolution: nn.Conv1d) -> None:
        super().__init__()
        self.weight = convolution.weight.data.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        self.bias = convolution.bias
        self.stride, self.padding = (1, *convolution.stride), (0, *convolution.padding)

    def forward(self, frames: Tensor) -> Tensor:
        image = frames.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        # Make it contiguous again, as the following layers (pooling, recurrent, attention) expect.
        return functional.conv2d(image, self.weight, self.bias, self.stride, self.padding).squeeze(2).contiguous()


def _wespeaker() -> nn.Module:
    import_torchaudio()
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    network = WeSpeakerResNet34()
    network.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    network.build()
    return network.eval()


def _m2m100() -> nn.Module:
    """Return M2M100 418M with half of its layers and a small vocabulary."""
    transformers = import_transformers()
    config = transformers.M2M100Config(vocab_size=8000, encoder_layers=6, decoder_layers=6)
    network: nn.Module = transformers.M2M100ForConditionalGeneration(config)
    return network.eval()


def _numbers(answer: Any) -> np.ndarray:
    tensor = answer if isinstance(answer, Tensor) else answer.logits
    return tensor.detach().float().cpu().numpy()
