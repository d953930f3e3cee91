"""Full text search in captions, their translations and summaries, on any supported database.

A word matches everything that begins with it, with or without accents: `orcamento` matches `Orçamentos`. All words must
match. The index is the database's own (`sqlite`, `postgresql`) and follows every change of a row, whatever makes it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

from meetings.models import Caption, Meeting, Summary, Translation
from meetings.search.index import TABLES, Index, Match, TextKind
from meetings.search.postgresql import PostgresIndex
from meetings.search.snippets import SNIPPET_WORD, Piece, count_terms, snippet
from meetings.search.sqlite import SqliteIndex

MAX_TERMS = 12


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that matches all words."""

    kind: TextKind
    pk: int
    meeting: Meeting
    caption: Caption | None
    """None: it is in a summary."""
    language: str
    start: float
    pieces: list[Piece]


def terms_of(query: str) -> list[str]:
    """Return the words of the query, without characters that are operators in a database."""
    return [word.group() for word in SNIPPET_WORD.finditer(unicodedata.normalize("NFC", query))][:MAX_TERMS]


def find(query: str, *, limit: int) -> list[Hit]:
    """Return the best matches first."""
    terms = terms_of(query)
    if not terms:
        return []
    found = index().ranked(terms, limit=limit)
    rows = {kind: _rows(kind, [match.pk for match in found if match.kind is kind]) for kind in TextKind}
    return [_hit(match, rows[match.kind][match.pk], terms) for match in found if match.pk in rows[match.kind]]


def saying(query: str) -> models.Q:
    """Match captions that contain all words, in the text or in a translation."""
    return _of_terms(terms_of(query), {"pk__in": TextKind.CAPTION, "translations__pk__in": TextKind.TRANSLATION})


def translating(query: str) -> models.Q:
    """Match translations that contain all words."""
    return _of_terms(terms_of(query), {"pk__in": TextKind.TRANSLATION})


def summing_up(query: str) -> models.Q:
    """Match summaries that contain all words."""
    return _of_terms(terms_of(query), {"pk__in": TextKind.SUMMARY})


def about(query: str) -> models.Q:
    """Match meetings in which one caption, translation or summary contains all words."""
    terms = terms_of(query)
    if not terms:
        return models.Q(pk__in=[])
    captions = Caption.objects.filter(saying(query)).values("meeting")
    return models.Q(pk__in=captions) | models.Q(pk__in=Summary.objects.filter(summing_up(query)).values("meeting"))


def index(using: str = DEFAULT_DB_ALIAS) -> Index:
    """Return the index of the database."""
    connection = connections[using]
    return PostgresIndex(connection) if connection.vendor == "postgresql" else SqliteIndex(connection)


def ensure_index(using: str, **_: Any) -> None:
    """Receive `post_migrate`."""
    index(using).ensure()


def _best_wording(summary: Summary, terms: Sequence[str]) -> tuple[str, str]:
    """Return language and text of the first part of the summary that has most of the words.

    The indexed text holds every item in every language, so a snippet of it would repeat itself.
    """
    said = [(summary.language, summary.text), *((summary.language, item["text"]) for item in summary.items)]
    for language, texts in summary.translations.items():
        said += [(language, text) for text in (texts["text"], *texts["items"])]
    return max(said, key=lambda part: count_terms(part[1], terms))


def _of_terms(terms: Sequence[str], lookups: Mapping[str, TextKind]) -> models.Q:
    if not terms:
        return models.Q(pk__in=[])
    found = models.Q()
    for lookup, kind in lookups.items():
        found |= models.Q(**{lookup: index().rows(kind, terms)})
    return found


def _rows(kind: TextKind, pks: Sequence[int]) -> dict[int, Any]:
    related = "caption__meeting" if kind is TextKind.TRANSLATION else "meeting"
    return TABLES[kind]._default_manager.select_related(related).in_bulk(pks)


def _hit(match: Match, row: Caption | Translation | Summary, terms: Sequence[str]) -> Hit:
    if isinstance(row, Summary):
        language, wording = _best_wording(row, terms)
        return Hit(match.kind, match.pk, row.meeting, None, language, row.from_s, snippet(wording, terms))
    pieces = snippet(match.said, terms)
    caption = row.caption if isinstance(row, Translation) else row
    return Hit(match.kind, match.pk, caption.meeting, caption, row.language, caption.start, pieces)
