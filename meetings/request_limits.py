"""How many bytes the body of a request may have."""

from __future__ import annotations

MAX_BODY = 2 << 20
"""Bytes of a form, or of a chunk of an upload with its headers."""

MAX_RECORDING_BODY = 100 << 20
"""Bytes of a recording for the transcriptions endpoint; larger ones are uploaded in chunks."""
