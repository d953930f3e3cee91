"""What was said in SQLite's full text index (FTS5, https://www.sqlite.org/fts5.html), kept right by triggers.

One table for captions, translations and summaries, so that their ranks can be compared; a row's number there is its key
times four plus its kind. The triggers name no other table: SQLite could not rebuild that one in a migration. A rebuilt
table has lost its triggers, and `ensure`, which runs after every `migrate`, makes them and the index anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from meetings.search.index import TABLES, Kind, Match

TABLE = "meetings_search"
KINDS = 4
CREATE = """
    CREATE VIRTUAL TABLE meetings_search USING fts5(said, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')
"""
ROWS = "SELECT rowid / 4 FROM meetings_search WHERE meetings_search MATCH %s AND rowid %% 4 = %s"
RANKED = "SELECT rowid, said FROM meetings_search WHERE meetings_search MATCH %s ORDER BY rank, rowid DESC LIMIT %s"
MERGE = "INSERT INTO meetings_search(meetings_search) VALUES ('optimize')"

SAID = {
    Kind.CAPTION: "{row}.text",
    Kind.TRANSLATION: "{row}.text",
    Kind.SUMMARY: (
        "{row}.text"
        " || coalesce((SELECT group_concat(' ' || json_extract(item.value, '$.text'), '')"
        " FROM json_each({row}.items) AS item), '')"
        " || coalesce((SELECT group_concat(' ' || leaf.atom, '')"
        " FROM json_tree({row}.translations) AS leaf WHERE leaf.type = 'text'), '')"
    ),
}
"""What is searched of a row."""

COLUMNS = {Kind.CAPTION: "text", Kind.TRANSLATION: "text", Kind.SUMMARY: "text, items, translations"}
"""Those that it is made of."""


class SqliteIndex:
    """On one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def rows(self, kind: Kind, terms: Sequence[str]) -> RawSQL:
        return RawSQL(ROWS, (_expression(terms), kind.value))  # noqa: S611  # nosec B611

    def ranked(self, terms: Sequence[str], *, limit: int) -> list[Match]:
        with self._connection.cursor() as cursor:
            cursor.execute(RANKED, (_expression(terms), limit))
            return [Match(Kind(rowid % KINDS), rowid // KINDS, said) for rowid, said in cursor.fetchall()]

    def ensure(self) -> None:
        names = dict(_triggers())
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'trigger')")
            there = {name for (name,) in cursor.fetchall()}
            if not {_table(kind) for kind in Kind} <= there or {TABLE, *names} <= there:
                return
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
            cursor.execute(CREATE)
            for name, trigger in names.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
                cursor.execute(trigger)
            for kind in Kind:
                cursor.execute(_put(kind, _table(kind), source=f" FROM {_table(kind)}"))

    def erase(self) -> None:
        """Deleted words stay in the index's segments until these are merged: this merges all."""
        with self._connection.cursor() as cursor:
            cursor.execute(MERGE)


def _expression(terms: Sequence[str]) -> str:
    """All of them, as beginnings of words. They are letters and digits alone, so none can end its quotes."""
    return " ".join(f'"{term}"*' for term in terms)


def _triggers() -> Iterator[tuple[str, str]]:
    """Names and statements."""
    for kind in Kind:
        table = _table(kind)
        remove = f"DELETE FROM {TABLE} WHERE rowid = old.id * {KINDS} + {kind.value}; "  # noqa: S608  # nosec B608
        for event, when, body in (
            ("insert", "INSERT", _put(kind, "new") + "; "),
            ("update", f"UPDATE OF {COLUMNS[kind]}", remove + _put(kind, "new") + "; "),
            ("delete", "DELETE", remove),
        ):
            name = f"{table}_search_{event}"
            yield name, f"CREATE TRIGGER {name} AFTER {when} ON {table} BEGIN {body}END"


def _put(kind: Kind, row: str, *, source: str = "") -> str:
    said = SAID[kind].format(row=row)
    number = f"{row}.id * {KINDS} + {kind.value}"
    return (
        f"INSERT INTO {TABLE}(rowid, said) SELECT {number}, {said}{source} WHERE {row}.text <> '' OR {kind.value} = 2"
    )


def _table(kind: Kind) -> str:
    return TABLES[kind]._meta.db_table
