"""Which models a worker has ready, by the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from meetings.device.engines import is_warm
from meetings.environment import read_environment


@pytest.mark.parametrize(("choice", "warm"), [("auto", False), ("on", True), ("off", False)])
def test_on_a_cpu_the_summariser_is_loaded_at_the_start_where_that_is_asked_for(
    choice: str, warm: bool, tmp_path: Path
) -> None:
    values = {"PARLANCE_DATA": str(tmp_path), "PARLANCE_DEVICE": "cpu", "PARLANCE_WARM_START": choice}
    assert is_warm(read_environment(values)) is warm
