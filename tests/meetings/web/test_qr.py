from __future__ import annotations

import xml.etree.ElementTree as ET

import segno

from meetings.web.qr import QUIET_ZONE, qr_svg

LINK = "https://captions.example.org/m/0123456789abcdef01/?token=abcdefghijklmnopqrstuvwxyz012345"


def test_image_scales_and_keeps_its_quiet_zone() -> None:
    image = ET.fromstring(qr_svg(LINK))  # noqa: S314  (our own output)
    side = segno.make(LINK, error="m", micro=False).symbol_size(border=QUIET_ZONE)[0]
    assert image.attrib["viewBox"] == f"0 0 {side} {side}"
    assert "width" not in image.attrib


def test_image_needs_no_style_and_no_script() -> None:
    assert b"style" not in qr_svg(LINK)
    assert b"script" not in qr_svg(LINK)
