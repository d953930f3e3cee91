"""Load networks from disk: required files, prepared snapshots, and the loading strategies."""

from inference.models.loading.files import (
    CHUNK_BYTES,
    ModelCorrupt,
    ModelMissing,
    ModelUnreadable,
    ProgressCallback,
    check_digest,
    check_size,
    check_sizes,
    is_readable_file,
    model_folder,
    verify_model,
)

__all__ = [
    "CHUNK_BYTES",
    "ModelCorrupt",
    "ModelMissing",
    "ModelUnreadable",
    "ProgressCallback",
    "check_digest",
    "check_size",
    "check_sizes",
    "is_readable_file",
    "model_folder",
    "verify_model",
]
