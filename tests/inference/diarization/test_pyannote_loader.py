from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from inference.diarization.pyannote_loader import PyannoteNetwork
from inference.models.loading.component import Form
from inference.models.loading.snapshot import write_snapshot

FRESH = """
import sys
from pathlib import Path
from inference.diarization.pyannote_loader import PyannoteNetwork
from inference.models.loading.component import Form
from inference.models.loading.strategy import load
assert "torchaudio" not in sys.modules
print(load(PyannoteNetwork(Path(sys.argv[1]), "PyanNet"), Form(), ["snapshot"]).strategy)
"""


def test_a_snapshot_loads_in_a_process_that_has_imported_nothing_yet(models: Path, tmp_path: Path) -> None:
    """pyannote imports torchaudio, which cannot be imported as it is beside a CPU build of torch."""
    path = Path(shutil.copy(models / "segmentation-campplus" / "segmentation.bin", tmp_path))
    write_snapshot(PyannoteNetwork(path, "PyanNet"), Form())
    done = subprocess.run([sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["snapshot"]), done.stderr
