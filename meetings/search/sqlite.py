"""SQLite's full text index (FTS5, https://www.sqlite.org/fts5.html), kept up to date by triggers.

Captions, translations and summaries share one table, so that their ranks are comparable; a rowid is the row's key times
four plus its kind. The triggers reference no other table, because SQLite could not rebuild that one in a migration.
Rebuilding a table drops its triggers; `ensure` runs after every `migrate` and recreates them and the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from meetings.search.index import TABLES, Match, TextKind

TABLE = "meetings_search"
TEXT_KINDS = 4
CREATE = """
    CREATE VIRTUAL TABLE meetings_search USING fts5(said, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')
"""
ROWS = "SELECT rowid / 4 FROM meetings_search WHERE meetings_search MATCH %s AND rowid %% 4 = %s"
RANKED = "SELECT rowid, said FROM meetings_search WHERE meetings_search MATCH %s ORDER BY rank, rowid DESC LIMIT %s"
MERGE = "INSERT INTO meetings_search(meetings_search) VALUES ('optimize')"

SAID = {
    TextKind.CAPTION: "{row}.text",
    TextKind.TRANSLATION: "{row}.text",
    TextKind.SUMMARY: (
        "{row}.text"
        " || coalesce((SELECT group_concat(' ' || json_extract(item.value, '$.text'), '')"
        " FROM json_each({row}.items) AS item), '')"
        " || coalesce((SELECT group_concat(' ' || leaf.atom, '')"
        " FROM json_tree({row}.translations) AS leaf WHERE leaf.type = 'text'), '')"
    ),
}
"""The searched text of a row."""

COLUMNS = {TextKind.CAPTION: "text", TextKind.TRANSLATION: "text", TextKind.SUMMARY: "text, items, translations"}
"""The columns that it is built from."""


class SqliteIndex:
    """The index on one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def rows(self, kind: TextKind, terms: Sequence[str]) -> RawSQL:
        return RawSQL(ROWS, (_expression(terms), kind.value))  # noqa: S611  # nosec B611

    def ranked(self, terms: Sequence[str], *, limit: int) -> list[Match]:
        with self._connection.cursor() as cursor:
            cursor.execute(RANKED, (_expression(terms), limit))
            return [Match(TextKind(rowid % TEXT_KINDS), rowid // TEXT_KINDS, said) for rowid, said in cursor.fetchall()]

    def ensure(self) -> None:
        names = dict(_triggers())
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'trigger')")
            there = {name for (name,) in cursor.fetchall()}
            if not {_table(kind) for kind in TextKind} <= there or {TABLE, *names} <= there:
                return
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
            cursor.execute(CREATE)
            for name, trigger in names.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                cursor.execute(trigger)
            for kind in TextKind:
                cursor.execute(_put(kind, _table(kind), source=f" FROM {_table(kind)}"))

    def erase(self) -> None:
        """Merge all segments of the index, because deleted words stay in them until then."""
        with self._connection.cursor() as cursor:
            cursor.execute(MERGE)


def _expression(terms: Sequence[str]) -> str:
    """Match the beginnings of all words. Terms are letters and digits only, so none can close its quotes."""
    return " ".join(f'"{term}"*' for term in terms)


def _triggers() -> Iterator[tuple[str, str]]:
    """Yield names and statements."""
    for kind in TextKind:
        table = _table(kind)
        remove = f"DELETE FROM {TABLE} WHERE rowid = old.id * {TEXT_KINDS} + {kind.value}; "  # noqa: S608  # nosec B608
        for event, when, body in (
            ("insert", "INSERT", _put(kind, "new") + "; "),
            ("update", f"UPDATE OF {COLUMNS[kind]}", remove + _put(kind, "new") + "; "),
            ("delete", "DELETE", remove),
        ):
            name = f"{table}_search_{event}"
            yield name, f"CREATE TRIGGER {name} AFTER {when} ON {table} BEGIN {body}END"


def _put(kind: TextKind, row: str, *, source: str = "") -> str:
    said = SAID[kind].format(row=row)
    number = f"{row}.id * {TEXT_KINDS} + {kind.value}"
    return (
        f"INSERT INTO {TABLE}(rowid, said) SELECT {number}, {said}{source} WHERE {row}.text <> '' OR {kind.value} = 2"
    )


def _table(kind: TextKind) -> str:
    return TABLES[kind]._meta.db_table
