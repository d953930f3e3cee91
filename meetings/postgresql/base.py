"""Django's backend for PostgreSQL; a server that does not answer is an error, and not a thread that waits for ever.

The server itself ends what takes too long (`statement_timeout`, in the settings). One that is stopped, or behind a
cut link, cannot: so the wait for its answer has a bound here too.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

ANSWER_S = 70.0
"""Beyond `statement_timeout`: whoever is alive has said by then that it took too long."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Named so because Django asks a backend for this name."""

    answer_s: float | None = ANSWER_S
    """How long one answer may take; None: as long as it takes."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
        wait = connection.wait

        def wait_bounded(gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return wait(gen, interval, self.answer_s if timeout is None else timeout)
            except psycopg.OperationalError:
                if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    connection.pgconn.finish()  # the answer may still come, and would be taken for another one's
                raise

        connection.wait = wait_bounded  # type: ignore[method-assign]
        return connection
