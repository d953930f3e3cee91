"""PostgreSQL's full text search: an index over an expression of each table, so it is never out of date.

Words are those of the configuration `simple`, without accents and without the signs by which its parser joins words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import RawSQL

from meetings.search.index import TABLES, Match, TextKind
from meetings.search.snippets import fold

SAID = {
    TextKind.CAPTION: "text",
    TextKind.TRANSLATION: "text",
    TextKind.SUMMARY: "meetings_summary_said(text, items, translations)",
}
"""The searched text of a row."""

ROWS = "SELECT id FROM {table} WHERE meetings_words({said}) @@ to_tsquery('simple', %s)"
MOST_RANKED = 2_000
"""Ranking computes a row's words again, so only the newest rows of many matches are ranked."""

RANKED = """
    (WITH found AS MATERIALIZED (SELECT id FROM {table} WHERE meetings_words({said}) @@ to_tsquery('simple', %s))
     SELECT {kind} AS kind, id, {said} AS said, ts_rank(meetings_words({said}), to_tsquery('simple', %s), 1) AS rank
     FROM {table} WHERE id IN (SELECT id FROM found ORDER BY id DESC LIMIT {most})
     ORDER BY rank DESC, id DESC LIMIT %s)
"""
INDEX = "CREATE INDEX {table}_search ON {table} USING gin (meetings_words({said}))"

FUNCTIONS = (
    r"""
    CREATE OR REPLACE FUNCTION meetings_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
        SELECT to_tsvector('pg_catalog.simple'::regconfig, translate(
            regexp_replace(normalize(said, NFD), '[\u0300-\u036f]', '', 'g'),
            $signs$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$signs$, repeat(' ', 32)))
    $body$
    """,
    """
    CREATE OR REPLACE FUNCTION meetings_summary_said(said text, items jsonb, translations jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
        SELECT said
            || coalesce((SELECT string_agg(' ' || (item #>> '{}'), '')
                         FROM jsonb_path_query(items, '$[*].text') AS item), '')
            || coalesce((SELECT string_agg(' ' || (leaf #>> '{}'), '')
                         FROM jsonb_path_query(translations, 'strict $.** ? (@.type() == "string")') AS leaf), '')
    $body$
    """,
)


class PostgresIndex:
    """The index on one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def rows(self, kind: TextKind, terms: Sequence[str]) -> RawSQL:
        return RawSQL(_of(kind, ROWS), (_expression(terms),))  # noqa: S611  # nosec B611

    def ranked(self, terms: Sequence[str], *, limit: int) -> list[Match]:
        parts = " UNION ALL ".join(_of(kind, RANKED) for kind in TextKind)
        with self._connection.cursor() as cursor:
            words = _expression(terms)
            asked: list[Any] = [*[words, words, limit] * len(TextKind), limit]
            cursor.execute(f"{parts} ORDER BY rank DESC, id DESC LIMIT %s", asked)
            return [Match(TextKind(kind), pk, said) for kind, pk, said, _ in cursor.fetchall()]

    def ensure(self) -> None:
        with self._connection.cursor() as cursor:
            if not all(_is_there(cursor, _table(kind)) for kind in TextKind):
                return
            missing = [kind for kind in TextKind if not _is_there(cursor, f"{_table(kind)}_search")]
            functions = FUNCTIONS if missing else ()
            for statement in (*functions, *(_of(kind, INDEX) for kind in missing)):
                cursor.execute(statement)

    def erase(self) -> None:
        """Do nothing: the server's own vacuum removes deleted rows from table and index."""


def _expression(terms: Sequence[str]) -> str:
    """Match the beginnings of all words. Terms are letters and digits only, so none is an operator."""
    return " & ".join(f"{fold(term)}:*" for term in terms)


def _of(kind: TextKind, statement: str) -> str:
    return statement.format(kind=kind.value, table=_table(kind), said=SAID[kind], most=MOST_RANKED)


def _is_there(cursor: CursorWrapper, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    return bool(cursor.fetchone()[0])


def _table(kind: TextKind) -> str:
    return TABLES[kind]._meta.db_table
