"""Translated texts for a page's scripts, in the language of the request."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django import template
from django.conf import settings
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

from meetings.languages import interface_tag

LOCALE_DIR = Path(__file__).resolve().parent.parent / "locale"
SCRIPT_DOMAIN = "djangojs"

register = template.Library()
register.simple_tag(interface_tag)


@register.simple_tag
def interface_languages() -> list[tuple[str, str]]:
    """Return the languages that the interface has: their codes, and their names in themselves."""
    return list(settings.LANGUAGES)


@register.simple_tag
def interface_catalogue() -> SafeString:
    """Return a JSON block for `static/js/i18n.js`: needs no further request and no script under the page's policy."""
    return json_script(catalogue(get_language() or "en"), "catalogue")


@lru_cache
def catalogue(language: str) -> dict[str, str | list[str]]:
    """Return the scripts' texts by their English; empty for English itself. None of them has a plural form."""
    view = JavaScriptCatalog()
    view.translation = DjangoTranslation(language, domain=SCRIPT_DOMAIN, localedirs=[str(LOCALE_DIR)])
    return view.get_catalog()
