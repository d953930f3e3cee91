"""`manage.py live` as an operator meets it: ready, told, stopped; refused with a sentence when something is wrong."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import REPOSITORY, RunningParlance, free_port, running_parlance

pytestmark = pytest.mark.xdist_group("processes")

LOOK_S = 0.1


@pytest.fixture(scope="module")
def parlance(whisper_alone: Path) -> Iterator[RunningParlance]:
    with running_parlance(environment={"PARLANCE_MODELS_DIR": str(whisper_alone)}) as running:
        yield running


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


def test_a_broker_that_is_not_there_is_said_by_the_worker(whisper_base: Path, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "inference"]
    environment = {**os.environ, "PARLANCE_DATA": str(tmp_path), "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    refused = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("The broker at redis://127.0.0.1:")


def test_readiness_says_what_is_missing(parlance: RunningParlance) -> None:
    worker = parlance.process("inference")
    worker.suspend()
    try:
        while (answer := get(f"{parlance.url}/readyz"))[0] == 200:
            time.sleep(LOOK_S)
    finally:
        worker.resume()
    status, body = answer
    assert (status, json.loads(body)["worker"]) == (503, "no inference worker is running")


def test_live_ends_cleanly(parlance: RunningParlance) -> None:
    """The last of this module: the others need it running."""
    assert parlance.stop() == 0
    assert "Traceback" not in parlance.output
