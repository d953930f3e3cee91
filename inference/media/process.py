"""The parent's side of the decoder: start the child, read its output with time limits, and end it.

The child's output is untrusted, because a malicious file may control it; `protocol` validates all of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, BinaryIO

from inference.media.errors import UnreadableAudioError, refusal
from inference.media.options import DecodeOptions
from inference.media.protocol import RATE, Failure, MediaMessage, ProtocolError, Reason, Samples, decode, too_long
from inference.media.sandbox import Limits

COMMAND = (sys.executable, "-s", "-P", "-B", "-m", "inference.media")
"""The decoder's command; the limits follow as an argument."""

ROOT = Path(__file__).resolve().parents[2]
CHILD_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The child's whole environment, free of secrets. User namespaces require a single-threaded process."""

PASSED_ON = ("LD_LIBRARY_PATH", "PATH")
"""Variables that some interpreters need to start."""

AHEAD_BYTES = 1 << 20
"""How far the child may decode ahead of its reader: sixteen seconds."""

LAST_LOG_BYTES = 4_000
"""Bytes of standard error that are read."""

EXIT_WAIT_S = 5.0
"""Seconds to wait for the exit of a process that has closed its output."""

DEFAULT_OPTIONS = DecodeOptions()

MEANING = {signal.SIGXCPU: Reason.TIME, signal.SIGALRM: Reason.HUNG}
"""Signals by which the child's own limits end it."""


class DecoderProcess:
    """One file in one child. Closing or garbage-collecting the object ends the child."""

    def __init__(self, path: Path, limits: Limits, options: DecodeOptions = DEFAULT_OPTIONS) -> None:
        """Start decoding. Raises UnreadableAudioError if the file cannot be opened."""
        self._path = path
        self._limits = limits
        self._waited_s = 0.0
        self._heard = 0
        """Samples of the track that is furthest."""
        self._heard_by_source: Counter[tuple[int, int]] = Counter()
        with _opened(path) as file:
            self._child = subprocess.Popen(
                [*COMMAND, json.dumps(asdict(limits)), json.dumps(asdict(options))],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                cwd="/",
                process_group=0,  # Ctrl-C is for this process, which may want to finish
            )
        assert self._child.stdout
        assert self._child.stderr
        self._output, self._complaints = self._child.stdout, self._child.stderr
        self._poller = select.poll()
        self._poller.register(self._output, select.POLLIN)
        with contextlib.suppress(OSError):  # a pipe of the default size works too
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, AHEAD_BYTES)
        self._end = weakref.finalize(self, _end, self._child)

    def kill(self) -> None:
        """End the child. Thread-safe; a pending read finds the end at once."""
        self._child.kill()

    def close(self) -> None:
        """End the child and reap it. Must not be called while another thread reads."""
        self._end()

    def messages(self) -> Iterator[MediaMessage]:
        """Yield the child's messages, except the failure that ends it.

        Raises UnreadableAudioError or a subclass when the child fails.
        """
        try:
            for message in decode(self._read):
                if isinstance(message, Failure):
                    raise refusal(self._path, message)
                if isinstance(message, Samples):
                    self._hear(message)
                yield message
        except ProtocolError as error:
            raise refusal(self._path, Failure(Reason.CRASHED, "it talks nonsense")) from error
        finally:
            self.close()

    def _hear(self, message: Samples) -> None:
        """Enforce the length limit here too, because a malicious file may have disabled it in the child."""
        source = (message.track, message.channel)
        self._heard_by_source[source] += len(message.samples)
        self._heard = max(self._heard, self._heard_by_source[source])
        if self._heard > self._limits.longest_s * RATE:
            raise refusal(self._path, too_long(self._limits.longest_s))

    def _read(self, size: int) -> bytes:
        """Return `size` bytes of the child's output."""
        parts: list[bytes] = []
        while size:
            part = self._read_some(size)
            if not part:
                raise self._loss()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _read_some(self, size: int) -> bytes:
        left_s = self._limits.wait_s + self._heard / RATE - self._waited_s
        began = time.monotonic()
        is_ready = self._poller.poll(1000 * max(0.0, min(self._limits.stall_s, left_s)))
        self._waited_s += time.monotonic() - began
        if not is_ready:
            raise refusal(self._path, Failure(Reason.HUNG))
        return os.read(self._output.fileno(), size)

    def _loss(self) -> UnreadableAudioError:
        """Return the error for a child that ended without a final message."""
        try:
            code = self._child.wait(EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            return refusal(self._path, Failure(Reason.HUNG))
        if code >= 0:
            return refusal(self._path, Failure(Reason.CRASHED, _last_words(self._complaints) or f"exit code {code}"))
        ended_by = signal.Signals(-code)
        return refusal(self._path, Failure(MEANING.get(ended_by, Reason.CRASHED), ended_by.name))


def _opened(path: Path) -> BinaryIO:
    """Open the file in the parent, so that the child need not open anything."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableAudioError(f"{path} cannot be read as audio: {error.strerror}") from error


def _environment() -> dict[str, str]:
    return CHILD_ENVIRONMENT | {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _last_words(complaints: IO[bytes]) -> str:
    """Return the last line of the child's standard error, which the child has closed."""
    text = os.read(complaints.fileno(), LAST_LOG_BYTES).decode("utf-8", "replace").strip()
    return text.rpartition("\n")[2]


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
