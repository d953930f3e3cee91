"""Voice activity detection: the speech probability of each window.

Uses Silero VAD v6 (MIT, https://github.com/snakers4/silero-vad), the ONNX file included in faster-whisper. The model
sees each window of 512 samples with the 64 samples before it, and an LSTM carries earlier context. `DetectorState` is
the complete state, so a detector resumed from a stored state gives bit-identical probabilities.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

VAD_WINDOW = 512
"""Samples per window: 32 ms."""

CONTEXT = 64
"""Preceding samples that the model sees with a window."""

STATE = 128
"""Width of the model's LSTM."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorState:
    """The detector's state between two windows."""

    hidden: np.ndarray
    """float32, shape (STATE,)."""
    cell: np.ndarray
    """float32, shape (STATE,)."""
    context: np.ndarray
    """float32, shape (CONTEXT,): the end of the last window."""

    @classmethod
    def initial(cls) -> DetectorState:
        """Return the state before a meeting's first sample."""
        return cls(*(np.zeros(size, np.float32) for size in (STATE, STATE, CONTEXT)))

    def dumps(self) -> str:
        """Return an exact text representation."""
        return base64.b64encode(np.concatenate((self.hidden, self.cell, self.context)).astype("<f4").tobytes()).decode()

    @classmethod
    def loads(cls, text: str) -> DetectorState:
        """Return the state from the text of `dumps`. Raises ValueError if it is invalid."""
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
        if values.shape != (2 * STATE + CONTEXT,):
            raise ValueError("not a detector state")
        hidden, cell, context = np.split(values, (STATE, 2 * STATE))
        return cls(hidden, cell, context)


class SpeechDetector(Protocol):
    """Shared by all meetings; holds no state of any of them."""

    def judge(self, window: np.ndarray, state: DetectorState) -> tuple[float, DetectorState]:
        """Return the speech probability of one float32 window, shape (WINDOW,), and the state for the next window."""
        ...


class SileroDetector:
    """`SpeechDetector` on one CPU thread; a window takes a fraction of a millisecond."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._model = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def judge(self, window: np.ndarray, state: DetectorState) -> tuple[float, DetectorState]:
        # One window per call. Batches are faster, but their float sums depend on how the audio was split.
        seen = np.concatenate((state.context, window))[None]
        memory = {"h": state.hidden.reshape(1, 1, STATE), "c": state.cell.reshape(1, 1, STATE)}
        probability, hidden, cell = self._model.run(None, {"input": seen, **memory})
        after = DetectorState(hidden.reshape(-1), cell.reshape(-1), np.array(window[-CONTEXT:], np.float32))
        return float(probability.reshape(-1)[0]), after


@cache
def shared_detector() -> SileroDetector:
    """Return the process-wide Silero detector. Raises FileNotFoundError if faster-whisper lacks the model."""
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise FileNotFoundError("faster-whisper, which holds the Silero VAD model, is not installed")
    return SileroDetector(Path(package.origin).parent / "assets" / "silero_vad_v6.onnx")
