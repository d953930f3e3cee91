"""The languages people can be captioned in: Whisper's list (openai/whisper, `tokenizer.py`), by English name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from django.conf import settings
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

AUTO = "auto"
"""Detect the language of each utterance."""

LANGUAGES: dict[str, str] = {
    "af": "Afrikaans",
    "sq": "Albanian",
    "am": "Amharic",
    "ar": "Arabic",
    "hy": "Armenian",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "eu": "Basque",
    "be": "Belarusian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "br": "Breton",
    "bg": "Bulgarian",
    "my": "Burmese",
    "yue": "Cantonese",
    "ca": "Catalan",
    "zh": "Chinese",
    "hr": "Croatian",
    "cs": "Czech",
    "da": "Danish",
    "nl": "Dutch",
    "en": "English",
    "et": "Estonian",
    "fo": "Faroese",
    "fi": "Finnish",
    "fr": "French",
    "gl": "Galician",
    "ka": "Georgian",
    "de": "German",
    "el": "Greek",
    "gu": "Gujarati",
    "ht": "Haitian Creole",
    "ha": "Hausa",
    "haw": "Hawaiian",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "is": "Icelandic",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "jw": "Javanese",
    "kn": "Kannada",
    "kk": "Kazakh",
    "km": "Khmer",
    "ko": "Korean",
    "lo": "Lao",
    "la": "Latin",
    "lv": "Latvian",
    "ln": "Lingala",
    "lt": "Lithuanian",
    "lb": "Luxembourgish",
    "mk": "Macedonian",
    "mg": "Malagasy",
    "ms": "Malay",
    "ml": "Malayalam",
    "mt": "Maltese",
    "mi": "Māori",
    "mr": "Marathi",
    "mn": "Mongolian",
    "ne": "Nepali",
    "no": "Norwegian",
    "nn": "Norwegian Nynorsk",
    "oc": "Occitan",
    "ps": "Pashto",
    "fa": "Persian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pa": "Punjabi",
    "ro": "Romanian",
    "ru": "Russian",
    "sa": "Sanskrit",
    "sr": "Serbian",
    "sn": "Shona",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "so": "Somali",
    "es": "Spanish",
    "su": "Sundanese",
    "sw": "Swahili",
    "sv": "Swedish",
    "tl": "Tagalog",
    "tg": "Tajik",
    "ta": "Tamil",
    "tt": "Tatar",
    "te": "Telugu",
    "th": "Thai",
    "bo": "Tibetan",
    "tr": "Turkish",
    "tk": "Turkmen",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "cy": "Welsh",
    "yi": "Yiddish",
    "yo": "Yoruba",
}

READ_ONLY: dict[str, str] = {
    "ast": "Asturian",
    "ceb": "Cebuano",
    "ff": "Fulah",
    "fy": "Western Frisian",
    "ga": "Irish",
    "gd": "Scottish Gaelic",
    "ig": "Igbo",
    "ilo": "Iloko",
    "lg": "Ganda",
    "ns": "Northern Sotho",
    "or": "Odia",
    "ss": "Swati",
    "tn": "Tswana",
    "wo": "Wolof",
    "xh": "Xhosa",
    "zu": "Zulu",
}
"""What M2M100 writes and Whisper does not hear."""

COMMON = ("en", "pt", "es", "fr", "de", "it", "nl", "pl", "uk", "ru", "ar", "zh", "ja", "ko", "hi")
"""Offered first, or the list would bury them."""


OTHER_CODES = {"cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "ji": "yi", "jv": "jw", "mo": "ro", "nb": "no"}
"""Codes of other standards and programs, mapped to ours."""

OTHER_NAMES = {
    "castilian": "es",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "myanmar": "my",
    "nynorsk": "nn",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
}
"""Whisper's second names of languages (openai/whisper, `tokenizer.py`)."""

INTERFACE_TAGS = {"pt": "pt-PT", "pt-br": "pt-BR"}
"""Browsers take a bare `pt` for Portuguese of Brazil."""

RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
"""As in static/js/languages.js."""


def is_right_to_left(code: str) -> bool:
    """Which way the language is written."""
    return code.partition("-")[0] in RIGHT_TO_LEFT


def language_name(code: str) -> str:
    """The name in the interface language, as in a sentence; or the code itself where we have none."""
    if code == AUTO:
        return _("Detected")
    name = LANGUAGES.get(code) or READ_ONLY.get(code)
    return _(name) if name else code


def interface_tag() -> str:
    """Return the language of the interface as BCP 47 has it."""
    code = get_language() or "en"
    return INTERFACE_TAGS.get(code, code)


def interface_of(language: str | None) -> translation.override:
    """Return a context in which the interface has the language of a file, if it is offered in that language.

    Otherwise the active one stays, and so does the reader's region of the same language. None: the file has none.
    """
    active = get_language() or "en"
    is_offered = language in dict(settings.LANGUAGES) and active.partition("-")[0] != language
    return translation.override(language if is_offered else active)


def language_code(value: str) -> str | None:
    """Return the code of what a person or program calls a language, or AUTO; None if that is unknown.

    Takes a code, a tag with script or region ("pt-BR", "zh_Hant_TW"), and an English name ("english"), in any case.
    """
    name = value.strip().casefold()
    if name == AUTO:
        return AUTO
    base = re.split(r"[-_]", name, maxsplit=1)[0]
    code = _codes_by_name().get(name) or OTHER_CODES.get(base, base)
    return code if is_language(code) else None


@cache
def _codes_by_name() -> dict[str, str]:
    names = {name.casefold(): code for code, name in (READ_ONLY | LANGUAGES).items()}
    return names | {_without_accents(name): code for name, code in names.items()} | OTHER_NAMES


def is_language(code: str) -> bool:
    """Whether somebody could speak or read it here, as far as we know."""
    return code in LANGUAGES or code in READ_ONLY


def spoken_choices() -> list[tuple[str, str | list[tuple[str, str]]]]:
    """Choices of a select: detection, then the common languages, then all others by name."""
    named = named_languages(LANGUAGES)
    return [
        (AUTO, _("Detect it while people speak")),
        (_("Common"), named[: len(COMMON)]),
        (_("All others"), named[len(COMMON) :]),
    ]


def named_languages(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Codes with their names as a list shows them: the common ones first, the others by name."""
    wanted = frozenset(codes)
    names = {code: capfirst(language_name(code)) for code in wanted}
    others = sorted(wanted.difference(COMMON), key=lambda code: _without_accents(names[code]))
    return [(code, names[code]) for code in (*(code for code in COMMON if code in wanted), *others)]


def _without_accents(name: str) -> str:
    """Dictionaries put Á beside A."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
