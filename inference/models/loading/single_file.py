"""Base class of components whose weights are a single torch file in a shared model folder."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from inference.models.loading.component import Form, NotMappable


class SingleFile(ABC):
    """Part of a `Component`: names, and the two ways to read `path`."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def sources(self) -> tuple[Path, ...]:
        return (self.path,)

    def read(self, form: Form) -> Any:
        """Raises FileNotFoundError, or ModelCorrupt if the file holds something else."""
        return self.load(is_mapped=False)

    def map(self, form: Form) -> Any:
        """Raises as `read` does, and NotMappable for files older than torch 1.6, which are not archives."""
        if self.path.is_file() and not zipfile.is_zipfile(self.path):
            raise NotMappable(f"{self.path.name} is no archive")
        return self.load(is_mapped=True)

    @abstractmethod
    def load(self, *, is_mapped: bool) -> Any:
        """Return the network in evaluation mode. If `is_mapped`, its weights stay in the file until they are used."""
