"""CAM++, the network that computes a speaker embedding from speech features.

Wang et al. 2023, "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking": a 2-D
convolutional front end, a densely connected time-delay network with context-aware masking, and pooling of mean and
deviation over time. Attributes are named like the published weights (3D-Speaker's
`speech_campplus_sv_zh_en_16k-common_advanced`, Apache-2.0), so `load_state_dict` matches them exactly. It is
implemented here because the packages that include it bring a whole toolkit.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEL_BINS = 80
EMBEDDING = 192
"""Width of an embedding."""

CONTEXT_FRAMES = 100
"""Frames of a segment whose mean is the local context of a mask: 2 s."""

_CHANNELS = 32
_GROWTH = 32
_BOTTLENECK = 128
_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""


class CamPlusPlus(nn.Module):
    """Features, float32, shape (batch, frames, MEL_BINS) → embeddings, float32, shape (batch, EMBEDDING)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = FrontEnd()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["tdnn"] = _convolution(self.head.width, _BOTTLENECK, kernel=5, stride=2)
        width = _BOTTLENECK
        for number, (depth, dilation) in enumerate(_BLOCKS, 1):
            layers[f"block{number}"] = DenseBlock(width, depth, dilation=dilation)
            width += depth * _GROWTH
            layers[f"transit{number}"] = _transition(width, width // 2)
            width //= 2
        layers["out_nonlinear"] = _activation(width)
        layers["stats"] = StatisticsPooling()
        layers["dense"] = Projection(2 * width, EMBEDDING)
        self.xvector = nn.Sequential(layers)

    def forward(self, features: Tensor) -> Tensor:
        embeddings: Tensor = self.xvector(self.head(features.transpose(1, 2)))
        return embeddings


class FrontEnd(nn.Module):
    """Residual convolutions over time and frequency: (batch, bins, frames) → (batch, `width`, frames)."""

    width = _CHANNELS * MEL_BINS // 8

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_CHANNELS)
        self.layer1 = nn.Sequential(ResidualBlock(stride=2), ResidualBlock(stride=1))
        self.layer2 = nn.Sequential(ResidualBlock(stride=2), ResidualBlock(stride=1))
        self.conv2 = nn.Conv2d(_CHANNELS, _CHANNELS, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_CHANNELS)

    def forward(self, features: Tensor) -> Tensor:
        image = functional.relu(self.bn1(self.conv1(features.unsqueeze(1))))
        image = self.layer2(self.layer1(image))
        return functional.relu(self.bn2(self.conv2(image))).flatten(1, 2)


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut; `stride` downsamples frequency, never time."""

    def __init__(self, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_CHANNELS, _CHANNELS, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_CHANNELS)
        self.conv2 = nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_CHANNELS)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.Conv2d(_CHANNELS, _CHANNELS, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(_CHANNELS))

    def forward(self, image: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(image)))))
        return functional.relu(residual + self.shortcut(image))


class DenseBlock(nn.ModuleDict):
    """Each layer reads all earlier outputs: (batch, width, frames) → (batch, width + depth · growth, frames)."""

    def __init__(self, width: int, depth: int, *, dilation: int) -> None:
        super().__init__()
        for number in range(depth):
            self[f"tdnnd{number + 1}"] = DenseLayer(width + number * _GROWTH, dilation=dilation)

    def forward(self, frames: Tensor) -> Tensor:
        for layer in self.values():
            frames = torch.cat((frames, layer(frames)), dim=1)
        return frames


class DenseLayer(nn.Module):
    """A bottleneck followed by a masked dilated convolution."""

    def __init__(self, width: int, *, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _activation(width)
        self.linear1 = nn.Conv1d(width, _BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _activation(_BOTTLENECK)
        self.cam_layer = ContextAwareMask(dilation=dilation)

    def forward(self, frames: Tensor) -> Tensor:
        masked: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(frames))))
        return masked


class ContextAwareMask(nn.Module):
    """A dilated convolution weighted by the mean of the whole input and of the surrounding segment."""

    def __init__(self, *, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(_BOTTLENECK, _GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(_BOTTLENECK, _BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(_BOTTLENECK // 2, _GROWTH, 1)

    def forward(self, frames: Tensor) -> Tensor:
        # The mask is constant within a segment: compute it once per segment, then repeat it for its frames.
        segments = functional.avg_pool1d(frames, CONTEXT_FRAMES, ceil_mode=True)
        context = frames.mean(dim=-1, keepdim=True) + segments
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        spread = mask.repeat_interleave(CONTEXT_FRAMES, dim=-1)[..., : frames.shape[-1]]
        local: Tensor = self.linear_local(frames)
        return local * spread


class StatisticsPooling(nn.Module):
    """Mean and deviation over time: (batch, width, frames) → (batch, 2 · width)."""

    def forward(self, frames: Tensor) -> Tensor:
        return torch.cat((frames.mean(dim=-1), frames.std(dim=-1)), dim=-1)


class Projection(nn.Module):
    """From pooled statistics to the embedding: (batch, width) → (batch, output)."""

    def __init__(self, width: int, output: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(width, output, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(output, affine=False)))

    def forward(self, statistics: Tensor) -> Tensor:
        embedding: Tensor = self.nonlinear(self.linear(statistics.unsqueeze(-1)).squeeze(-1))
        return embedding


def fold_normalisation(model: CamPlusPlus) -> None:
    """Fold each normalization that follows a convolution into that convolution's weights.

    `model`, in evaluation mode, then gives the same embeddings except for rounding, with a quarter less work. Its state
    no longer has the published names, so call this after `load_state_dict`.
    """
    for module in list(model.modules()):
        if isinstance(module, FrontEnd | ResidualBlock):
            module.conv1, module.bn1 = fuse_conv_bn_eval(module.conv1, module.bn1), nn.Identity()
            module.conv2, module.bn2 = fuse_conv_bn_eval(module.conv2, module.bn2), nn.Identity()
        if isinstance(module, ResidualBlock) and len(module.shortcut):
            module.shortcut = nn.Sequential(fuse_conv_bn_eval(*module.shortcut))
        if isinstance(module, DenseLayer):
            module.linear1 = fuse_conv_bn_eval(module.linear1, module.nonlinear2.batchnorm)
            module.nonlinear2.batchnorm = nn.Identity()


def _activation(width: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(width), relu=nn.ReLU()))


def _convolution(width: int, output: int, *, kernel: int, stride: int) -> nn.Sequential:
    linear = nn.Conv1d(width, output, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(linear=linear, nonlinear=_activation(output)))


def _transition(width: int, output: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(nonlinear=_activation(width), linear=nn.Conv1d(width, output, 1, bias=False)))
