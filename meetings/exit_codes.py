"""Exit codes of every command."""

from __future__ import annotations

FAILURE = 1
"""The request made sense and did not work out."""

BAD_INPUT = 2
"""The request makes no sense: no such file, no such meeting, a setting out of range."""
