"""What people wrote or said, as one line; positions in it."""

from __future__ import annotations

import unicodedata

BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Embeddings, overrides and isolates: nobody speaks them, and they can make a line read as another one."""


def one_line(text: str) -> str:
    """`text` with every run of white space and line ends as one space, and no invisible controls."""
    if text.isprintable():  # as nearly all of it is: nothing to be taken out
        return " ".join(text.split())
    visible = (character for character in text.translate(BIDI_CONTROLS) if not _is_control(character))
    return " ".join("".join(visible).split())


def clock(seconds: float) -> str:
    """Format a position as `1:02:03` or `2:03`, as the captions page does."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_control(character: str) -> bool:
    """Line ends and tabs are controls too, but they part words."""
    return unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
