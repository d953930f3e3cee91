"""What every test stands on: settings that touch nothing of the operator's, real weights, real speech."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import django
import hypothesis
import pytest
from django.conf import settings
from django.db import connections, transaction
from django.test import TransactionTestCase

from manage import GARBAGE_THRESHOLD
from tests import REPOSITORY
from tests.once_a_run import migrated_database, share_folder

DJANGO_VARIABLES = ("ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "SECRET_KEY")
OURS_ALONE = ("PARLANCE_MODELS_DIR", "PARLANCE_SCREENSHOTS")
"""Variables that may reach the tests; all other settings of a shell could aim them at something real."""

QUICK_HASHER = "django.contrib.auth.hashers.MD5PasswordHasher"
"""The real one takes half a second on purpose, and every administrator of a test has a password."""

OF_THE_MIGRATIONS = {"auth_permission", "django_content_type", "django_migrations"}
"""Tables whose rows no test changes, and that every test needs."""

LONGEST_GROUPS = ("browser", "processes", "faults", "failures", "servers")
"""They begin first, so that no process is left alone with one of them at the end."""

EXAMPLES = int(os.environ.get("TESTS_EXAMPLES", "40"))
"""What Hypothesis tries of each property, unless the test says otherwise."""

TEST_DATABASE_URL = os.environ.pop("PARLANCE_TEST_DATABASE_URL", "")
"""Runs the tests on another database than SQLite: a PostgreSQL server in which they may create one."""

if settings.configured:
    pytest.exit("Unset DJANGO_SETTINGS_MODULE: the settings must load after their folder is chosen.", returncode=2)

for name in list(os.environ):
    if name in DJANGO_VARIABLES or (name.startswith("PARLANCE_") and name not in OURS_ALONE):
        del os.environ[name]
os.environ.setdefault("PARLANCE_MODELS_DIR", str(REPOSITORY / "var" / "models"))
os.environ["PARLANCE_DATA"] = tempfile.mkdtemp(prefix="parlance-tests-")
# Captions would change while a test looks at them; those of the second pass switch it on.
os.environ["PARLANCE_SECOND_PASS"] = "0"
if TEST_DATABASE_URL:
    os.environ["DATABASE_URL"] = TEST_DATABASE_URL
gc.set_threshold(GARBAGE_THRESHOLD)
# Hundreds of processes are started, and each would compile our modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# As many processes as cores or more run at once: threads of one network would wait for each other, not for work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A busy machine makes any example slow; slowness is measured in benchmarks/. Each run tries others.
hypothesis.settings.register_profile("parlance", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("parlance")
atexit.register(shutil.rmtree, os.environ["PARLANCE_DATA"], ignore_errors=True)
share_folder()


def pytest_configure() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "meetings.settings"
    django.setup()
    settings.PASSWORD_HASHERS = [QUICK_HASHER]
    # Every client of a test would list the interface's files anew, and none asks for one: browsers have real servers.
    settings.SERVESTATIC_USE_FINDERS = settings.SERVESTATIC_USE_STATIC_ROOT = False
    # The processes that share out the tests inherit the environment, and must choose a folder of their own first.
    del os.environ["DJANGO_SETTINGS_MODULE"]
    TransactionTestCase._fixture_teardown = _empty_tables


def _empty_tables(test: TransactionTestCase) -> None:
    """Delete every row that the test committed.

    Django's flush makes all content types and permissions again as well, which takes ten times as long, and truncates
    each table of PostgreSQL, which takes a hundred times as long as to delete a few rows.
    """
    for name in test._databases_names(include_mirrors=False):
        connection = connections[name]
        with transaction.atomic(using=name), connection.cursor() as cursor:
            for table in set(connection.introspection.django_table_names()) - OF_THE_MIGRATIONS:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own name


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module is one process's: what it makes for all of its tests, such as a real transcript, is made once."""
    if TEST_DATABASE_URL:
        items[:] = [item for item in items if _uses_database(item)]
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(REPOSITORY / "tests").with_suffix(""))))
    tests = Counter(map(_group, items))
    items.sort(key=lambda item: (_group(item) not in LONGEST_GROUPS, -tests[_group(item)]))


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: no search for garbage needs to look at it again."""
    gc.freeze()


def _uses_database(item: pytest.Item) -> bool:
    """The others are the same on any database."""
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or not fixtures.isdisjoint({"db", "transactional_db"})


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    return str(marker.args[0])


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Use the database that is laid out below, instead of migrating an empty one in each process."""
    return not TEST_DATABASE_URL


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A database in a file of this process, as in production: threads lock it as they would there.

    No test cuts the power, and thirteen commits after each of those that commit wait for the disk.
    """
    if TEST_DATABASE_URL:
        # Each test has a loop, and threads, of its own: what those keep would fill the server.
        settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
        return
    database = settings.DATABASES["default"]
    database.setdefault("TEST", {})["NAME"] = f"{os.environ['PARLANCE_DATA']}/tests.sqlite3"
    shutil.copy(migrated_database(), database["TEST"]["NAME"])
    database["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of all models; kept between runs."""
    return Path(os.environ["PARLANCE_MODELS_DIR"])


@pytest.fixture(scope="session")
def whisper_base(models: Path) -> Path:
    """The folder of the real Whisper base, fetched once; without it the tests fail, as the product would."""
    from inference.models.catalog import find_model
    from inference.models.fetching import ensure_model

    return ensure_model(find_model("whisper-base"), models)


@pytest.fixture(scope="session")
def whisper_alone(whisper_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models without any other: a worker that captions, and loads in two seconds and not in twenty."""
    folder = tmp_path_factory.mktemp("whisper-alone")
    (folder / whisper_base.name).symlink_to(whisper_base)
    return folder


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of short recordings with references; its MANIFEST.md names their sources."""
    return REPOSITORY / "tests" / "speech"
