"""Which pages of other origins may call the API."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.test import Client

pytestmark = pytest.mark.django_db

PATH = "/v1/audio/transcriptions"
OBSIDIAN = "app://obsidian.md"


@pytest.fixture(autouse=True)
def origins(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = replace(settings.ENVIRONMENT, cors_origins=[OBSIDIAN, "http://localhost:3000"])
    monkeypatch.setattr(settings, "ENVIRONMENT", environment)


def preflight(path: str, origin: str, asked: str = "authorization") -> tuple[int, dict[str, str]]:
    answer = Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )
    return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}


def test_a_listed_page_may_send_what_its_client_sends() -> None:
    asked = "authorization,content-type,x-stainless-arch,x-stainless-retry-count"
    status, headers = preflight(PATH, OBSIDIAN, asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == OBSIDIAN
    assert headers["access-control-allow-methods"] == "GET, POST, DELETE"
    assert headers["access-control-allow-headers"] == asked
    assert headers["access-control-max-age"] == "7200"
    assert headers["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        (PATH, "https://evil.example"),
        (PATH, "null"),
        (PATH, ""),
        (PATH, "http://localhost:3001"),
        (PATH, "https://localhost:3000"),
        ("/login/", OBSIDIAN),
        ("/", OBSIDIAN),
    ],
)
def test_others_are_told_nothing_of_use_and_pages_are_for_nobody(path: str, origin: str) -> None:
    status, headers = preflight(path, origin)
    assert status != 204
    assert not [name for name in headers if name.startswith("access-control")]
    answer = Client().get(path, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_odd_names_of_headers_are_not_repeated() -> None:
    _, headers = preflight(PATH, OBSIDIAN, "x\r\nset-cookie: a=b")
    assert headers["access-control-allow-headers"] == "authorization, content-type, prefer"


def test_an_error_can_be_read_too() -> None:
    answer = Client().get("/v1/models", headers={"Origin": OBSIDIAN})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (401, OBSIDIAN)
    assert "Origin" in answer["Vary"]
    assert "Location" in answer["Access-Control-Expose-Headers"]
    assert "Origin" in Client().get("/v1/models")["Vary"], "a cache keeps the answers apart"
