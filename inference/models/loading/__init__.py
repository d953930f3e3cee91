"""From files on disk to networks in memory: what must be there, ready-made snapshots of it, and the ways to load."""

from inference.models.loading.files import (
    CHUNK_BYTES,
    Advance,
    ModelCorrupt,
    ModelMissing,
    check_digest,
    check_size,
    check_sizes,
    model_folder,
    verify_model,
)

__all__ = [
    "CHUNK_BYTES",
    "Advance",
    "ModelCorrupt",
    "ModelMissing",
    "check_digest",
    "check_size",
    "check_sizes",
    "model_folder",
    "verify_model",
]
