"""Prints what a pyproject.toml asks for, a line each: `requirements.py pyproject.toml [EXTRA]`.

With EXTRA only what that adds. For pip, which cannot install a project's dependencies without the project.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

path, *extras = sys.argv[1:]
project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
wanted = [item for extra in extras for item in project["optional-dependencies"][extra]]
print("\n".join(wanted if extras else project["dependencies"]))
