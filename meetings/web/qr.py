"""QR codes of viewer links, for a card that a phone reads across a room."""

from __future__ import annotations

import io

import segno

QUIET_ZONE = 4
"""Modules of white border required by ISO/IEC 18004; readers fail without it."""


def qr_svg(link: str) -> bytes:
    """Return an SVG image that scales to any size.

    Error correction is level M, or higher where the version has room, because glare on a projection hides part of the
    code.
    """
    image = io.BytesIO()
    code = segno.make(link, error="m", micro=False)
    code.save(image, kind="svg", border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, xmldecl=False)
    return image.getvalue()
