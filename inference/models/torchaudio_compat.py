"""Make `import torchaudio` work with a CPU build of torch.

torchaudio's wheel on the package index links its compiled extension to CUDA, so the import raises OSError with a CPU
build. This project only uses parts that do not need the extension (Kaldi features, resampling). A stub that reports
"not available" replaces the extension if the real one cannot be loaded.
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
"""Models load in several threads at once. Cleaning up one failed import must not remove another's successful one."""


def import_torchaudio() -> ModuleType:
    """Return the `torchaudio` package, with its real extension or with the stub.

    Call it before importing anything that imports torchaudio, such as pyannote.audio. Raises ImportError if torchaudio
    is not installed.
    """
    import torch

    # The first import creates tensors. Under a caller's `torch.device("meta")` they would permanently lack data.
    with _importing, torch.device("cpu"):
        try:
            return importlib.import_module("torchaudio")
        except OSError:
            _forget_torchaudio()
            sys.modules[EXTENSION] = _extension()
            return importlib.import_module("torchaudio")


def import_transformers() -> ModuleType:
    """Return the `transformers` package, which itself imports torchaudio if that is installed."""
    with suppress(ImportError):
        import_torchaudio()
    return importlib.import_module("transformers")


def _forget_torchaudio() -> None:
    """Remove modules that the failed import left partly initialized."""
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]


def _extension() -> ModuleType:
    """Return the stub: the attributes torchaudio reads when built without the extension."""
    extension = ModuleType(EXTENSION)
    extension.__path__ = []
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    extension._check_cuda_version = lambda: None  # type: ignore[attr-defined]
    extension.fail_if_no_align = _refuse  # type: ignore[attr-defined]
    return extension


def _refuse(function: object) -> object:
    """Replace the decorator for functions that need the extension."""

    def unavailable(*arguments: object, **keywords: object) -> NoReturn:
        raise RuntimeError(f"{function} needs torchaudio's compiled extension, which cannot load beside this torch")

    return unavailable
