"""QR codes of viewer links, for a card that a phone reads across a room."""

from __future__ import annotations

import io

import segno

QUIET_ZONE = 4
"""Modules of white border, as ISO/IEC 18004 asks for; readers fail without it."""


def qr_svg(link: str) -> bytes:
    """An SVG image that scales to any size.

    Error correction is level M, raised where the version has room: a projector's glare hides a part of the code.
    """
    image = io.BytesIO()
    code = segno.make(link, error="m", micro=False)
    code.save(image, kind="svg", border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, xmldecl=False)
    return image.getvalue()
