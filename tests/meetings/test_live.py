"""`manage.py live` as an operator meets it: ready, told, stopped; refused with a sentence when something is wrong."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx
import pytest

from tests.live import REPOSITORY, RunningParlance, free_port

pytestmark = pytest.mark.xdist_group("processes")

LOOK_S = 0.1


def run_live(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "live", *arguments]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (our own address)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_live_answers(parlance: RunningParlance) -> None:
    assert parlance.sign_in_link.startswith(f"{parlance.url}/sign-in/")
    assert (parlance.data / "address").read_text() == parlance.url
    assert get(f"{parlance.url}/healthz") == (200, '{"status": "ok"}')
    status, body = get(f"{parlance.url}/readyz")
    assert (status, json.loads(body)) == (
        200,
        {"status": "ok", "database": "ok", "broker": "ok", "worker": "ok"},
    )
    assert "parlance_viewers 0.0" in get(f"{parlance.url}/metrics")[1]


def test_a_second_one_in_the_same_folder_is_refused(parlance: RunningParlance) -> None:
    refused = run_live("--port", str(free_port()), PARLANCE_DATA=str(parlance.data))
    assert refused.returncode == 2
    assert refused.stderr.startswith("Parlance is already running with ")


def test_a_port_in_use_is_said(whisper_base: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run_live("--port", str(taken.getsockname()[1]), PARLANCE_DATA=str(tmp_path))
    assert refused.returncode == 2
    assert "choose another with --port" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    refused = run_live(
        "--port", str(free_port()), PARLANCE_DATA=str(tmp_path), PARLANCE_MODELS_DIR=str(tmp_path / "none")
    )
    assert refused.returncode == 1
    assert "manage.py models fetch" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_an_odd_setting_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    refused = run_live("--port", str(free_port()), PARLANCE_DATA=str(tmp_path), PARLANCE_PROFILE="huge")
    assert refused.returncode == 2
    assert refused.stderr == "PARLANCE_PROFILE is 'huge'; use one of: starter, gpu.\n"


def test_settings_that_only_a_process_can_refuse_end_the_start(whisper_alone: Path, tmp_path: Path) -> None:
    """No caption model fits into 10 MB, whoever tries; what is misspelt is named once for all processes."""
    refused = run_live(
        "--port",
        str(free_port()),
        PARLANCE_DATA=str(tmp_path),
        PARLANCE_MODELS_DIR=str(whisper_alone),
        PARLANCE_DEVICE_BUDGET_GB="0.01",
        PARLANCE_PROFIL="gpu",
        PARLANCE_LOG="json",
    )
    sentences = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
    assert refused.returncode == 2
    assert sentences[0] == "PARLANCE_PROFIL is not a setting. Did you mean PARLANCE_PROFILE?"
    assert sentences[1].startswith("whisper-base needs ")
    assert sentences[2:] == ["The inference process cannot start with these settings; it says why above."]


def test_a_broker_that_is_not_there_is_said_by_the_worker(whisper_base: Path, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "inference"]
    environment = {**os.environ, "PARLANCE_DATA": str(tmp_path), "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=REPOSITORY, env=environment, check=True, timeout=60)
    refused = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("The broker at redis://127.0.0.1:")


def test_nobody_else_on_the_machine_reads_what_it_keeps(parlance: RunningParlance, speech: Path) -> None:
    recording = (speech / "lobster_24s.flac").read_bytes()
    with httpx.Client(base_url=parlance.url, follow_redirects=True) as pages:
        pages.get(parlance.new_sign_in_link()).raise_for_status()
        sent = upload(pages, "whole.flac", recording, size=len(recording))
        arriving = upload(pages, "half.flac", recording[:1000], size=len(recording))
        while pages.get("/uploads/list").json()["uploads"][1]["state"] != "ready":
            time.sleep(LOOK_S)
    while not (parlance.data / "results" / sent / "transcript.json").exists():
        time.sleep(LOOK_S)

    kept = {str(path.relative_to(parlance.data)): path for path in parlance.data.rglob("*")}
    assert {"parlance.sqlite3", "secret_key", "lock", "address", "valkey.sock", f"recordings/{sent}.flac"} <= set(kept)
    assert {f"uploads/{arriving}", f"results/{sent}/transcript.json"} <= set(kept)
    assert any(name.endswith(".aof") for name in kept)
    open_to_others = {name: oct(path.stat().st_mode) for name, path in kept.items() if path.stat().st_mode & 0o077}
    assert open_to_others == {}
    assert stat.S_IMODE(parlance.data.stat().st_mode) == 0o700


def upload(pages: httpx.Client, name: str, content: bytes, *, size: int) -> str:
    """Announce a recording that is to be kept, and send what there is of it; return its meeting."""
    pages.get("/uploads/").raise_for_status()
    headers = {"X-CSRFToken": pages.cookies["csrftoken"]}
    fields = {"name": name, "size": size, "modified": 0, "type": "audio/flac", "language": "en", "keep_recording": "on"}
    announced = pages.post("/uploads/", data=fields, headers=headers).raise_for_status().json()
    chunk = {**headers, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    pages.patch(announced["address"], content=content, headers=chunk).raise_for_status()
    return str(announced["id"])


def test_readiness_says_what_is_missing(parlance: RunningParlance) -> None:
    worker = parlance.process("inference")
    worker.suspend()
    try:
        while (answer := get(f"{parlance.url}/readyz"))[0] == 200:
            time.sleep(LOOK_S)
    finally:
        worker.resume()
    status, body = answer
    assert (status, json.loads(body)["worker"]) == (503, "no inference worker is running, or none makes progress")


def test_live_ends_cleanly(parlance: RunningParlance) -> None:
    """The others need it running."""
    assert httpx.get(parlance.new_sign_in_link()).headers["Location"] == "/"
    assert parlance.stop() == 0
    assert "Traceback" not in parlance.output


def test_a_later_start_prints_no_link_and_the_command_does(parlance: RunningParlance) -> None:
    """Somebody has signed in meanwhile."""
    assert parlance.sign_in_link
    parlance.start()
    assert parlance.sign_in_link == ""
    asked_for = parlance.manage("signin").strip()
    assert asked_for.startswith(f"{parlance.url}/sign-in/")
    assert httpx.get(asked_for).headers["Location"] == "/"
