"""Libraries that report their use to their makers are told not to, before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from inference import NO_TELEMETRY
from tests.conftest import REPOSITORY


def test_the_detector_of_speech_keeps_no_name_of_this_machine(tmp_path: Path) -> None:
    """ONNX Runtime writes an id and a queue of events into the home folder, unless it is told not to or runs in CI."""
    program = "from inference.speech.vad import shared_detector; shared_detector()"
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and name not in NO_TELEMETRY}
    environment = {**inherited, "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []
