"""Recordings without a header, as telephone systems write them: what they hold is told by their name or by a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RATES_OF_RAW = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)

FREE = ("mulaw", "alaw", "s16le", "s16be")
"""Formats of FFmpeg that leave rate and channels open; 8 kHz mono is the default."""

FIXED: Mapping[str, int] = {"g722": 16_000, "gsm": 8_000}
"""Formats with one rate and one channel."""

DEFAULT_RATE = 8_000
SPELLING = re.compile(r"([a-z0-9]+)(?:@(\d{4,6}))?(?:/([12]))?", re.ASCII)

ENDINGS: Mapping[str, str] = {
    **dict.fromkeys((".ulaw", ".ul", ".mulaw", ".pcmu"), "mulaw"),
    **dict.fromkeys((".alaw", ".al", ".pcma"), "alaw"),
    **dict.fromkeys((".g722", ".722"), "g722"),
    ".gsm": "gsm",
    **dict.fromkeys((".sln", ".slin", ".sln8"), "s16le@8000"),
    **{f".{name}{rate // 1000}": f"s16le@{rate}" for rate in RATES_OF_RAW[2:] for name in ("sln", "slin")},
}
"""Endings of file names that say the format, mostly Asterisk's."""

UNTOLD = frozenset({".raw", ".pcm", ".vox", ".snd"})
"""Endings of files without a header whose format the name does not say."""

HEADERS = (
    b"RIFF",
    b"RF64",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"FORM",
    b".snd",
    b"#!AMR",
    b"caff",
    b"\x1aE\xdf\xa3",
    b"0&\xb2u",
)
"""First bytes of formats with a header: such a file has only got a strange name."""

OFFERED = "mulaw, alaw, g722, gsm, s16le or s16be, where it is needed with a rate and two channels: s16le@16000/2"


class UnknownInputFormat(ValueError):
    """The text names no format of headerless recordings. The message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class RawFormat:
    """How the bytes of a headerless recording are to be read."""

    demuxer: str
    """FFmpeg's name."""
    rate: int
    channels: int = 1

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options."""
        if self.demuxer in FIXED:
            return {}
        return {"sample_rate": str(self.rate), "ch_layout": "mono" if self.channels == 1 else "stereo"}


def raw_format(text: str) -> RawFormat:
    """Return the format that `text` names, such as `mulaw` or `s16le@16000/2`. Raises UnknownInputFormat."""
    spelled = SPELLING.fullmatch(text.strip().lower())
    name, rate, channels = spelled.groups() if spelled else ("", None, None)
    if name in FIXED and not channels and rate in (None, str(FIXED[name])):
        return RawFormat(name, FIXED[name])
    if name in FREE and (rate is None or int(rate) in RATES_OF_RAW):
        return RawFormat(name, int(rate or DEFAULT_RATE), int(channels or 1))
    raise UnknownInputFormat(f"{text!r} is no format of recordings without a header; use {OFFERED}.")


def format_by_name(name: str, beginning: bytes) -> str:
    """Return the format that a file's name says; empty: none, or the file has a header after all."""
    return "" if has_header(beginning) else ENDINGS.get(Path(name).suffix.lower(), "")


def has_header(beginning: bytes) -> bool:
    """Return whether a file that begins so says itself what it is."""
    return beginning.startswith(HEADERS) or beginning[4:8] == b"ftyp"


def is_untold(name: str) -> bool:
    """Return whether files with such names have no header, and a format that the name does not say."""
    return Path(name).suffix.lower() in UNTOLD
