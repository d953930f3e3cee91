"""Names of languages, and the choices for the select of the host page."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.utils.text import capfirst

from meetings.languages import language_name, spoken_choices

register = template.Library()


@dataclass(frozen=True, slots=True)
class LanguageGroup:
    """Options under one heading; without a name, options outside any group."""

    name: str
    languages: list[tuple[str, str]]


@register.filter
def named(code: str) -> str:
    """Return the name of a language, such as "Portuguese"."""
    return capfirst(language_name(code))


@register.simple_tag
def spoken_language_choices() -> list[LanguageGroup]:
    """Return the choices of the form, as groups."""
    return [
        LanguageGroup("", [(value, label)]) if isinstance(label, str) else LanguageGroup(value, label)
        for value, label in spoken_choices()
    ]
