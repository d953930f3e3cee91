"""torchaudio is imported once, whole, with its constants in memory, whoever asks first."""

from __future__ import annotations

import subprocess
import sys

import pytest

FROM_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from inference.models.torchaudio_compat import import_torchaudio
start = Barrier(4)
def load(_):
    start.wait()
    return import_torchaudio().compliance.kaldi
with ThreadPoolExecutor(4) as threads:
    print(len({id(module) for module in threads.map(load, range(4))}))
"""

ON_META = """
import torch
from inference.models.torchaudio_compat import import_torchaudio
with torch.device("meta"):
    import_torchaudio()
from torchaudio.compliance import kaldi
print(kaldi.EPSILON.device)
"""


@pytest.mark.parametrize(("program", "printed"), [(FROM_THREADS, "1\n"), (ON_META, "cpu\n")], ids=["threads", "meta"])
def test_the_first_import_is_good_for_all(program: str, printed: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == printed
