"""Finds what was said: in captions, in their translations and in summaries, whichever database holds them.

A word finds whatever begins with it, with or without accents: `orcamento` finds `Orçamentos`. All words must be there.
The index is the database's own (`sqlite`, `postgresql`) and follows every change of a row, whoever makes
it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from meetings.models import Caption, Meeting, Summary, Translation
from meetings.search.index import TABLES, Index, Kind, Match
from meetings.search.postgresql import PostgresIndex
from meetings.search.snippets import WORD, Piece, snippet
from meetings.search.sqlite import SqliteIndex

MAX_TERMS = 12


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where all the words are said."""

    kind: Kind
    pk: int
    meeting: Meeting
    caption: Caption | None
    """None: it is in a summary."""
    language: str
    start: float
    pieces: list[Piece]


def terms_of(query: str) -> list[str]:
    """The words that are asked for; signs that a database would obey are no part of any."""
    return [word.group() for word in WORD.finditer(unicodedata.normalize("NFC", query))][:MAX_TERMS]


def find(query: str, *, limit: int) -> list[Hit]:
    """The best places first."""
    terms = terms_of(query)
    if not terms:
        return []
    found = index().ranked(terms, limit=limit)
    rows = {kind: _rows(kind, [match.pk for match in found if match.kind is kind]) for kind in Kind}
    return [_hit(match, rows[match.kind][match.pk], terms) for match in found if match.pk in rows[match.kind]]


def saying(query: str) -> models.Q:
    """Captions in which all the words are said, or stand in a translation."""
    return _of_terms(terms_of(query), {"pk__in": Kind.CAPTION, "translations__pk__in": Kind.TRANSLATION})


def translating(query: str) -> models.Q:
    """Translations with all the words."""
    return _of_terms(terms_of(query), {"pk__in": Kind.TRANSLATION})


def summing_up(query: str) -> models.Q:
    """Summaries with all the words."""
    return _of_terms(terms_of(query), {"pk__in": Kind.SUMMARY})


def about(query: str) -> models.Q:
    """Meetings in which one caption, translation or summary has all the words."""
    terms = terms_of(query)
    if not terms:
        return models.Q(pk__in=[])
    captions = Caption.objects.filter(saying(query)).values("meeting")
    return models.Q(pk__in=captions) | models.Q(pk__in=Summary.objects.filter(summing_up(query)).values("meeting"))


def index(using: str = DEFAULT_DB_ALIAS) -> Index:
    """That of the database."""
    connection = connections[using]
    return PostgresIndex(connection) if connection.vendor == "postgresql" else SqliteIndex(connection)


def ensure_index(using: str, **_: Any) -> None:
    """Receives `post_migrate`."""
    index(using).ensure()


def _of_terms(terms: Sequence[str], lookups: Mapping[str, Kind]) -> models.Q:
    if not terms:
        return models.Q(pk__in=[])
    found = models.Q()
    for lookup, kind in lookups.items():
        found |= models.Q(**{lookup: index().rows(kind, terms)})
    return found


def _rows(kind: Kind, pks: Sequence[int]) -> dict[int, Any]:
    related = "caption__meeting" if kind is Kind.TRANSLATION else "meeting"
    return TABLES[kind]._default_manager.select_related(related).in_bulk(pks)


def _hit(match: Match, row: Caption | Translation | Summary, terms: Sequence[str]) -> Hit:
    pieces = snippet(match.said, terms)
    if isinstance(row, Summary):
        return Hit(match.kind, match.pk, row.meeting, None, row.language, row.from_s, pieces)
    caption = row.caption if isinstance(row, Translation) else row
    return Hit(match.kind, match.pk, caption.meeting, caption, row.language, caption.start, pieces)
