"""Makes `import torchaudio` work beside a CPU build of torch.

torchaudio's wheel on the package index links its compiled extension to CUDA, so with a torch that has none the import
ends in an OSError. Nothing that this project uses of torchaudio (Kaldi features, resampling) needs the extension: a
stand-in that says "not available" takes its place, and only where the real one cannot load.
"""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

EXTENSION = "torchaudio._extension"

_importing = threading.Lock()
"""Models load in several threads at once; one that forgets a failed import must not do it to another's good one."""


def import_torchaudio() -> ModuleType:
    """The `torchaudio` package, with its real extension or with the stand-in.

    Call it before anything that imports torchaudio itself, such as pyannote.audio. Raises ImportError when torchaudio
    is not installed.
    """
    import torch

    # The first import makes tensors; under somebody's `torch.device("meta")` they would be without data for good.
    with _importing, torch.device("cpu"):
        try:
            return importlib.import_module("torchaudio")
        except OSError:
            _forget_torchaudio()
            sys.modules[EXTENSION] = _extension()
            return importlib.import_module("torchaudio")


def import_transformers() -> ModuleType:
    """The `transformers` package, which itself imports torchaudio where that is installed."""
    with suppress(ImportError):
        import_torchaudio()
    return importlib.import_module("transformers")


def _forget_torchaudio() -> None:
    """Modules that the failed import left half made."""
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]


def _extension() -> ModuleType:
    """What torchaudio reads of its extension when it was built without one."""
    extension = ModuleType(EXTENSION)
    extension.__path__ = []
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    extension._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    extension.fail_if_no_align = _refuse  # type: ignore[attr-defined]
    return extension


def _refuse(function: object) -> object:
    """In place of the decorator for functions that need the extension."""

    def unavailable(*arguments: object, **keywords: object) -> NoReturn:
        raise RuntimeError(f"{function} needs torchaudio's compiled extension, which cannot load beside this torch")

    return unavailable
