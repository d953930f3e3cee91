"""Whether the database has the tables that this code needs."""

from __future__ import annotations

import structlog
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from meetings.exit_codes import BAD_INPUT

log = structlog.get_logger(__name__)


def has_pending_migrations() -> bool:
    """Return whether migrations of this code are not applied yet. A database that is away has none to say."""
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except OperationalError:
        log.warning("migrations_not_checked")
        return False
    finally:
        connection.close()


def require_schema() -> None:
    """Raise CommandError, with the command to run, unless every migration is applied."""
    if has_pending_migrations():
        raise CommandError(
            "The database is not set up for this version; run `manage.py migrate`.", returncode=BAD_INPUT
        )
