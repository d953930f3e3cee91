"""The address of the server that runs on the same data folder."""

from __future__ import annotations

from django.conf import settings

DEFAULT_BASE_URL = "http://127.0.0.1:8000"


def base_url() -> str:
    """Return the address at which `manage.py live` last listened, with the base path."""
    environment = settings.ENVIRONMENT
    try:
        address = (environment.data / "address").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        address = ""
    return (address or DEFAULT_BASE_URL) + str(environment.base_path)
