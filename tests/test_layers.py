"""What may import what: `inference` knows no Django, and the web process loads no model library."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from tests import REPOSITORY

MODEL_LIBRARIES = ("ctranslate2", "faster_whisper", "onnxruntime", "torch", "transformers", "huggingface_hub")
OF_THE_WEB_PROCESS = (
    "meetings.asgi",
    "meetings.serving.daphne_server",
    "meetings.serving.uvicorn_server",
    "meetings.management.commands.live",
)


def imported(path: Path) -> set[str]:
    """Top-level packages that the module imports anywhere, inside of functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_inference_imports_neither_django_nor_a_broker() -> None:
    """That it does not import `meetings` is held by import-linter."""
    paths = sorted((REPOSITORY / "inference").rglob("*.py"))
    assert len(paths) > 90
    assert [str(path) for path in paths if imported(path) & {"django", "channels", "redis"}] == []


def test_the_web_process_loads_no_model_library() -> None:
    script = f"import sys, django; django.setup(); import {', '.join(OF_THE_WEB_PROCESS)}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "meetings.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(result.stdout.split()) & set(MODEL_LIBRARIES) == set()
