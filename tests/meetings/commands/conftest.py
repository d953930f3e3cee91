from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def address() -> Iterator[Path]:
    """The file that `live` writes; no other test reads it. Nobody listens at port 9."""
    path = Path(settings.ENVIRONMENT.data) / "address"
    path.write_text("http://127.0.0.1:9")
    yield path
    path.unlink()
