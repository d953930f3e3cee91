"""Libraries that cannot be imported: not installed, or not readable for this user. Imports none itself."""

from __future__ import annotations

import sysconfig


def library_problem(error: ImportError) -> str:
    """Return a sentence that says what is missing and what to do."""
    return (
        f"A library cannot be loaded ({error}); install requirements.lock, or let this user read "
        f"{sysconfig.get_path('purelib')}."
    )
