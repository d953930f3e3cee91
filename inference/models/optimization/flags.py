"""Every optimization by name: where it applies, its default, and the evidence for that default.

Does not import torch, so that processes without models can validate settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

DeviceKind = Literal["cpu", "cuda"]
FlagChoices = Mapping[str, str]
"""The operator's choices by flag name; missing flags are AUTO."""

AUTO = "auto"
OFF = "0"
ON = "1"
UNMEASURED = "no GPU was at hand: not measured, so torch's plain way"


class Component(StrEnum):
    """A network, or a family of networks, that torch runs."""

    SEGMENTATION = "segmentation"
    CAMPPLUS = "campplus"
    WESPEAKER = "wespeaker"
    TRANSLATION = "m2m100"
    SUMMARY = "chat"
    SPEECH = "whisper"
    """Through transformers; CTranslate2 has its own settings."""


class UnknownChoice(ValueError):
    """A flag was set to a value that it does not support."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One optimization."""

    name: str
    choices: tuple[str, ...]
    """Besides AUTO. The first disables the optimization, which always works."""
    applies: Mapping[DeviceKind, frozenset[Component]]
    reasons: Mapping[DeviceKind, str]
    """Why the defaults were chosen."""
    fallback: str
    """What happens without it, or where it is unavailable."""
    defaults: Mapping[tuple[DeviceKind, Component], str] = field(default_factory=dict)
    """The meaning of AUTO, where it is not `off`."""

    @property
    def off(self) -> str:
        """The choice that disables it."""
        return self.choices[0]

    @property
    def variable(self) -> str:
        """The environment variable of earlier versions that sets this flag alone."""
        return f"PARLANCE_{self.name.upper()}"

    def check(self, choice: str) -> str:
        """Return `choice` if it is valid. Raises UnknownChoice."""
        if choice not in (AUTO, *self.choices):
            raise UnknownChoice(f"The flag {self.name} is {choice!r}; use one of: {', '.join((AUTO, *self.choices))}.")
        return choice

    def resolve(self, component: Component, kind: DeviceKind, choice: str = AUTO) -> str:
        """Return the effective value of `choice` for a component; `off` wherever the flag does not apply."""
        if component not in self.applies.get(kind, frozenset()):
            return self.off
        return self.defaults.get((kind, component), self.off) if self.check(choice) == AUTO else choice


_ALL = frozenset(Component)
_SPEAKERS = frozenset({Component.SEGMENTATION, Component.CAMPPLUS, Component.WESPEAKER})
_WRITERS = frozenset({Component.TRANSLATION, Component.SUMMARY, Component.SPEECH})
_KINDS: tuple[DeviceKind, ...] = ("cpu", "cuda")

INFERENCE_MODE = Flag(
    "inference_mode",
    (OFF, ON),
    applies={"cpu": _ALL, "cuda": _ALL},
    defaults={(kind, component): ON for kind in _KINDS for component in Component},
    reasons={
        "cpu": "a promise of the product, whatever it saves: no forward pass keeps a graph",
        "cuda": "as on a CPU; not measured there",
    },
    fallback="weights that ask for no gradients: no graph either, but versions are counted and views tracked",
)
AUTOCAST = Flag(
    "autocast",
    (OFF, "bfloat16", "float16"),
    applies={"cpu": _SPEAKERS, "cuda": _SPEAKERS},
    reasons={"cpu": "many times slower without instructions for bfloat16", "cuda": UNMEASURED},
    fallback="float32 throughout",
)
PRECISION = Flag(
    "precision",
    ("float32", "bfloat16", "float16"),
    applies={"cpu": _WRITERS, "cuda": _WRITERS},
    defaults={
        ("cuda", Component.TRANSLATION): "float16",
        ("cuda", Component.SUMMARY): "bfloat16",
        ("cuda", Component.SPEECH): "float16",
    },
    reasons={
        "cpu": "processors without instructions for it compute half precision more slowly",
        "cuda": "half the memory, by arithmetic; speed and agreement are not measured",
    },
    fallback="weights in float32",
)
CUDNN_BENCHMARK = Flag(
    "cudnn_benchmark",
    (OFF, ON),
    applies={"cuda": frozenset({Component.SEGMENTATION})},
    reasons={"cpu": "there is no cuDNN", "cuda": UNMEASURED},
    fallback="cuDNN chooses by its rules; prints are left out, for their lengths vary and each would be tried anew",
)
TF32 = Flag(
    "tf32",
    (OFF, ON),
    applies={"cuda": _ALL},
    reasons={"cpu": "there is no TF32", "cuda": UNMEASURED},
    fallback="products of float32 are exact to float32",
)
CHANNELS_LAST = Flag(
    "channels_last",
    (OFF, ON),
    applies={kind: frozenset({Component.CAMPPLUS, Component.WESPEAKER}) for kind in _KINDS},
    defaults={("cpu", Component.WESPEAKER): ON},
    reasons={
        "cpu": "1.06 times as fast for WeSpeaker's ResNet, 1.01 for CAM++ (2026-11-21, 2 cores)",
        "cuda": UNMEASURED,
    },
    fallback="contiguous, as 1-D convolutions (segmentation, Whisper) always are: the format needs four dimensions",
)
COMPILE = Flag(
    "compile",
    (OFF, ON),
    applies={kind: frozenset({Component.SEGMENTATION}) for kind in _KINDS},
    reasons={
        "cpu": "a minute of compiling at every start for nothing (2026-11-21, 2 cores)",
        "cuda": UNMEASURED,
    },
    fallback="the network as it is, also where compiling fails, which the log tells",
)
DEBUG_EMPTY_CACHE = Flag(
    "debug_empty_cache",
    (OFF, ON),
    applies={"cuda": _ALL},
    reasons={
        "cpu": "there is no cache to clear",
        "cuda": "for looking for what holds memory; each clearing waits for the device",
    },
    fallback="caches are emptied where models are switched, and nowhere else",
)

FLAGS = (INFERENCE_MODE, AUTOCAST, PRECISION, CUDNN_BENCHMARK, TF32, CHANNELS_LAST, COMPILE, DEBUG_EMPTY_CACHE)

EVERYTHING_OFF: FlagChoices = {flag.name: flag.off for flag in FLAGS}


@dataclass(frozen=True, slots=True)
class Tuning:
    """The effective flag values for one component on one kind of device."""

    inference_mode: bool
    autocast: str
    """Name of a torch dtype; empty if disabled."""
    precision: str
    cudnn_benchmark: bool
    tf32: bool
    channels_last: bool
    compile: bool
    debug_empty_cache: bool


def tune(component: Component, kind: DeviceKind, wishes: FlagChoices) -> Tuning:
    """Return the effective flags of a component. Raises UnknownChoice."""

    def chosen(flag: Flag) -> str:
        return flag.resolve(component, kind, wishes.get(flag.name, AUTO))

    autocast = chosen(AUTOCAST)
    return Tuning(
        inference_mode=chosen(INFERENCE_MODE) == ON,
        autocast="" if autocast == OFF else autocast,
        precision=chosen(PRECISION),
        cudnn_benchmark=chosen(CUDNN_BENCHMARK) == ON,
        tf32=chosen(TF32) == ON,
        channels_last=chosen(CHANNELS_LAST) == ON,
        compile=chosen(COMPILE) == ON,
        debug_empty_cache=chosen(DEBUG_EMPTY_CACHE) == ON,
    )
