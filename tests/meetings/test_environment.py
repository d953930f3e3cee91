from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from meetings.environment import BASE_DIR, UNIX_SOCKET_MAX_BYTES, database_config, misspelt_names, read_environment


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    environment = read_environment({"PARLANCE_DATA": str(tmp_path)})
    assert environment.models == tmp_path / "models"
    assert environment.broker_socket == tmp_path / "valkey.sock"
    assert environment.database_url == f"sqlite:///{tmp_path}/parlance.sqlite3"
    assert (environment.profile, environment.device, environment.broker_url) == ("starter", "auto", "")


def test_the_secret_key_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first, again = (read_environment({"PARLANCE_DATA": str(tmp_path)}).secret_key for _ in range(2))
    assert first == again
    assert len(first) >= 64
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 120)
    socket = read_environment({"PARLANCE_DATA": str(data)}).broker_socket
    assert len(str(socket)) <= UNIX_SOCKET_MAX_BYTES
    assert socket != read_environment({"PARLANCE_DATA": str(data) + "y"}).broker_socket


def test_how_long_a_recording_may_be_is_told_in_hours(tmp_path: Path) -> None:
    read = [
        read_environment({"PARLANCE_DATA": str(tmp_path), "PARLANCE_MAX_MEDIA_HOURS": hours}).media_limits.longest_s
        for hours in ("", "0.5", "48")
    ]
    assert read == [43_200.0, 1_800.0, 172_800.0]


def test_a_misspelt_setting_is_found(tmp_path: Path) -> None:
    values = {
        "PARLANCE_DATA": str(tmp_path),
        "PARLANCE_KEEP_AUDIO_DAY": "7",
        "PARLANCE_OIDC_ISSUER": "",
        "PATH": "/bin",
    }
    assert misspelt_names(values) == {"PARLANCE_KEEP_AUDIO_DAY": "PARLANCE_KEEP_AUDIO_DAYS"}


def test_every_documented_setting_is_known(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(PARLANCE_[A-Z_]+)`", (BASE_DIR / "docs" / "settings.md").read_text(), re.MULTILINE)
    known = {name for name in rows if not misspelt_names({"PARLANCE_DATA": str(tmp_path), name: ""})}
    assert {*rows} - known <= {"PARLANCE_SCREENSHOTS"}, "of the tests"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLANCE_PROFILE", "huge"),
        ("PARLANCE_SECOND_PASS", "sometimes"),
        ("PARLANCE_DEVICE", "tpu"),
        ("PARLANCE_DEVICE", "cuda:x"),
        ("PARLANCE_ASR_BACKEND", "whisper.cpp"),
        ("PARLANCE_TRANSLATION_MODEL", "google"),
        ("REDIS_URL", "localhost:6379"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "a.example, *"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ALLOWED_HOSTS", "a.example:8000"),
        ("PARLANCE_ORIGINS", "example.org"),
        ("PARLANCE_ORIGINS", "https://example.org/page"),
        ("PARLANCE_DEBUG", "yes"),
        ("PARLANCE_HTTPS", "true"),
        ("PARLANCE_MEETINGS_A_DAY", "0"),
        ("PARLANCE_KEEP_AUDIO_DAYS", "0"),
        ("PARLANCE_KEEP_TEXT_DAYS", "forever"),
        ("PARLANCE_API_WAIT_S", "soon"),
        ("PARLANCE_CORS_ORIGINS", "*"),
        ("PARLANCE_CORS_ORIGINS", "null"),
        ("PARLANCE_CORS_ORIGINS", "notes.example.org"),
        ("PARLANCE_CORS_ORIGINS", "app://obsidian.md, https://notes.example.org/"),
        ("PARLANCE_CORS_ORIGINS", "https://*.example.org"),
        ("PARLANCE_CORS_ORIGINS", "https://a:0"),
        ("PARLANCE_PRIVATE_WEBHOOKS", "yes"),
        ("PARLANCE_MAX_MEDIA_HOURS", "0"),
        ("PARLANCE_MAX_MEDIA_HOURS", "1000"),
        ("PARLANCE_MAX_MEDIA_HOURS", "nan"),
        ("PARLANCE_PROXIES", "localhost"),
        ("PARLANCE_DATA", "/proc/nowhere"),
        ("PARLANCE_DATA", "/etc/passwd"),
        ("PARLANCE_LOG", "xml"),
        ("PARLANCE_BASE_PATH", "captions"),
        ("PARLANCE_BASE_PATH", "/a/../b"),
        ("PARLANCE_BASE_PATH", "/a//b"),
        ("PARLANCE_BASE_PATH", "/a b"),
        ("PARLANCE_BASE_PATH", "https://example.org/captions"),
        ("PARLANCE_BASE_PATH", "/host"),
    ],
)
def test_an_odd_value_is_refused_by_name(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        read_environment({"PARLANCE_DATA": str(tmp_path), name: value})


@pytest.mark.parametrize("url", ["nonsense://", "mysql://user@host/name", "postgresql", ""])
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        database_config(url)


def test_flags_of_torch_share_one_variable_and_their_earlier_names_still_work(tmp_path: Path) -> None:
    def read(**values: str) -> dict[str, str]:
        return dict(read_environment({"PARLANCE_DATA": str(tmp_path), **values}).optimizations)

    default = read()
    assert set(default.values()) == {"auto"}
    assert read(PARLANCE_TORCH_FLAGS="precision=bfloat16, compile=1") == default | {
        "precision": "bfloat16",
        "compile": "1",
    }
    assert read(PARLANCE_PRECISION="float16", PARLANCE_TORCH_FLAGS="compile=1") == default | {
        "precision": "float16",
        "compile": "1",
    }
    for odd in ("precision", "precision=int8", "turbo=1"):
        with pytest.raises(ImproperlyConfigured, match=r"PARLANCE_TORCH_FLAGS|The flag precision"):
            read(PARLANCE_TORCH_FLAGS=odd)
