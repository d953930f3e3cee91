"""What components have in common whose weights are one file of torch beside others of their model."""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from inference.models.loading.component import Form, NotMappable


class SingleFile(ABC):
    """Half of a `Component`: names, and the two ways to read `path`."""

    path: Path

    @property
    def name(self) -> str:
        """See `Component.name`."""
        return self.path.stem

    @property
    def folder(self) -> Path:
        """See `Component.folder`."""
        return self.path.parent

    @property
    def sources(self) -> tuple[Path, ...]:
        """See `Component.sources`."""
        return (self.path,)

    def read(self, form: Form) -> Any:
        """Raises FileNotFoundError; ModelCorrupt when the file holds something else."""
        return self.load(is_mapped=False)

    def map(self, form: Form) -> Any:
        """Raises as `read` does, and NotMappable for files of before torch 1.6, which are no archives."""
        if self.path.is_file() and not zipfile.is_zipfile(self.path):
            raise NotMappable(f"{self.path.name} is no archive")
        return self.load(is_mapped=True)

    @abstractmethod
    def load(self, *, is_mapped: bool) -> Any:
        """The network in evaluation mode; `is_mapped`: its weights stay in the file until they are used."""
