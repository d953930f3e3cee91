"""The language pairs of the models, available without loading them, so that pages can list them."""

from __future__ import annotations

STARTER_PAIRS = frozenset({("en", "pt"), ("pt", "en")})
"""Source and target, as in `inference.translation.bergamot`."""

_M2M100 = (
    "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr fy ga gd gl gu ha he hi hr ht hu hy "
    "id ig ilo is it ja jv ka kk km kn ko lb lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru "
    "sd si sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu"
)

M2M100_LANGUAGES = frozenset(_M2M100.split())
"""The hundred languages of M2M100 (Fan et al. 2020, arXiv 2010.11125), by its own codes."""

M2M100_CODES = {"jw": "jv", "nn": "no"}
"""Whisper's codes mapped to M2M100's, where they differ. M2M100 has one Norwegian and writes Bokmål."""


def starter_targets(source: str) -> frozenset[str]:
    """Return the languages that the starter models translate `source` into."""
    return frozenset(target for spoken, target in STARTER_PAIRS if spoken == source)


def m2m100_targets(source: str) -> frozenset[str]:
    """Return the languages that M2M100 translates `source` into, by Whisper's codes."""
    spoken = M2M100_CODES.get(source, source)
    if spoken not in M2M100_LANGUAGES:
        return frozenset()
    return frozenset("jw" if code == "jv" else code for code in M2M100_LANGUAGES - {spoken})
