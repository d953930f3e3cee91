"""Django's backend for PostgreSQL, with an error instead of a hanging thread if the server does not answer.

The server cancels slow statements itself (`statement_timeout`, in the settings). A stopped server, or one behind a cut
connection, cannot, so the wait for its response is limited here too.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

ANSWER_S = 70.0
"""Longer than `statement_timeout`, so that a live server reports its own timeout first."""


class DatabaseWrapper(base.DatabaseWrapper):
    """The class name that Django requires in a backend."""

    answer_s: float | None = ANSWER_S
    """Seconds to wait for a response; None: no limit."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
        wait = connection.wait

        def wait_bounded(gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return wait(gen, interval, self.answer_s if timeout is None else timeout)
            except psycopg.OperationalError:
                if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    connection.pgconn.finish()  # a late response would be taken for that of another query
                raise

        connection.wait = wait_bounded  # type: ignore[method-assign]
        return connection
