"""What every test stands on: settings that touch nothing of the operator's, real weights, real speech."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import django
import pytest
from django.conf import settings

REPOSITORY = Path(__file__).resolve().parent.parent
FOREIGN_VARIABLES = (
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "PARLANCE_ASR_MODEL",
    "PARLANCE_DEVICE",
    "PARLANCE_ORIGINS",
    "PARLANCE_PROFILE",
    "REDIS_URL",
    "SECRET_KEY",
)
"""Variables that would aim the tests at something real; a shell may well hold them."""

if settings.configured:
    pytest.exit("Unset DJANGO_SETTINGS_MODULE: the settings must load after their folder is chosen.", returncode=2)

for name in FOREIGN_VARIABLES:
    os.environ.pop(name, None)
os.environ.setdefault("PARLANCE_MODELS_DIR", str(REPOSITORY / "var" / "models"))
os.environ["PARLANCE_DATA"] = tempfile.mkdtemp(prefix="parlance-tests-")
os.environ["DJANGO_SETTINGS_MODULE"] = "meetings.settings"
atexit.register(shutil.rmtree, os.environ["PARLANCE_DATA"], ignore_errors=True)


def pytest_configure() -> None:
    django.setup()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A database in a file of this process, as in production: threads lock it as they would there."""
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = f"{os.environ['PARLANCE_DATA']}/tests.sqlite3"


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of all models; kept between runs."""
    return Path(os.environ["PARLANCE_MODELS_DIR"])


@pytest.fixture(scope="session")
def whisper_base(models: Path) -> Path:
    """The folder of the real Whisper base, fetched once; without it the tests fail, as the product would."""
    from inference.catalog import find_model
    from inference.fetching import ensure_model

    return ensure_model(find_model("whisper-base"), models)


@pytest.fixture(scope="session")
def speech() -> Path:
    """The folder of short recordings with references; its MANIFEST.md names their sources."""
    return REPOSITORY / "tests" / "speech"
