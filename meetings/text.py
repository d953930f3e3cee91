"""What people wrote or said, as one line."""

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


def _is_control(character: str) -> bool:
    """Line ends and tabs are controls too, but they part words."""
    return unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
