"""Prints what an extra of a pyproject.toml adds, a line each: `requirements.py pyproject.toml EXTRA`.

For pip, which cannot install an extra without the project.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

path, extra = sys.argv[1:]
project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
print("\n".join(project["optional-dependencies"][extra]))
