from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.inference.summarization import tiny_chat


def models_command(*arguments: str) -> str:
    output = StringIO()
    call_command("models", *arguments, stdout=output)
    return output.getvalue()


def on_a_machine(models: Path) -> SimpleNamespace:
    return SimpleNamespace(models=models, profile="starter", device="cpu", optimizations={})


@pytest.fixture
def empty_machine(tmp_path: Path) -> Iterator[Path]:
    with override_settings(ENVIRONMENT=on_a_machine(tmp_path)):
        yield tmp_path


def listed(name: str) -> list[str]:
    """The columns of one model in the list."""
    rows = [line.split() for line in models_command("list").splitlines()]
    return next(row for row in rows if row[0] == name)


def test_list_says_what_is_here(whisper_base: Path) -> None:
    assert listed("whisper-base")[:6] == ["whisper-base", "asr", "starter", "here", "141", "MiB"]
    assert listed("whisper-large-v3-turbo")[:3] == ["whisper-large-v3-turbo", "asr", "gpu"]
    for name in ("m2m100_1.2B", "m2m100_418M"):
        assert listed(name)[:7] == [name, "translation", "gpu", "absent", "size", "unknown", "MIT"]


def test_list_tells_absent_from_damaged(empty_machine: Path) -> None:
    assert listed("whisper-base")[3] == "absent"
    (empty_machine / "whisper-base").mkdir()
    (empty_machine / "whisper-base" / "model.bin").write_bytes(b"cut")
    assert listed("whisper-base")[3] == "damaged"


def test_fetch_leaves_what_is_whole(whisper_base: Path) -> None:
    before = (whisper_base / "model.bin").stat().st_mtime_ns
    assert models_command("fetch", "whisper-base") == f"whisper-base: {whisper_base}\n"
    assert (whisper_base / "model.bin").stat().st_mtime_ns == before


def test_verify_reads_every_byte(whisper_base: Path) -> None:
    assert models_command("verify", "whisper-base") == "whisper-base: every byte as published\n"


def test_verify_names_what_is_missing_and_the_remedy(empty_machine: Path) -> None:
    with pytest.raises(CommandError, match=r"model\.bin is missing; run `manage\.py models fetch whisper-base`"):
        models_command("verify", "whisper-base")


def test_an_unknown_name_is_bad_input(empty_machine: Path) -> None:
    with pytest.raises(CommandError, match="No model is called 'whisper-huge'") as failure:
        models_command("fetch", "whisper-huge")
    assert failure.value.returncode == 2


def test_a_snapshot_is_written_and_loaded(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "segmentation-campplus"
    folder.mkdir()
    for name in ("segmentation.bin", "embedding.pt"):
        (folder / name).symlink_to(models / folder.name / name)
    with override_settings(ENVIRONMENT=on_a_machine(tmp_path)):
        first = models_command("load", folder.name).splitlines()
        assert [line.partition(",")[0] for line in first[::2]] == ["segmentation: mapped", "embedding: mapped"]
        assert all(line.startswith("  not by snapshot: there is no snapshot in ") for line in first[1::2])
        written = models_command("snapshot", folder.name)
        assert [Path(line.split()[-1]).name for line in written.splitlines()] == [
            "segmentation-cpu-float32",
            "embedding-cpu-float32",
        ]
        again = models_command("load", folder.name, "--strategy", "snapshot").splitlines()
        assert [line.partition(",")[0] for line in again] == ["segmentation: snapshot", "embedding: snapshot"]
        (folder / "snapshots" / "embedding-cpu-float32" / "model.safetensors").unlink()
        with pytest.raises(CommandError, match=r"model\.safetensors cannot be read"):
            models_command("load", folder.name, "--strategy", "snapshot")


def test_a_chat_model_is_loaded_in_the_form_of_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one, under a name of the catalogue."""
    folder = tiny_chat.build(tmp_path / "qwen2.5-7b-instruct")
    monkeypatch.setattr("meetings.management.commands.models.check_sizes", lambda model, models: folder)
    with override_settings(ENVIRONMENT=on_a_machine(tmp_path)):
        assert models_command("load", folder.name).startswith("chat: mapped, float32, ")
        written = models_command("snapshot", folder.name, "--device", "cuda")
        assert Path(written.split()[-1]).name == "chat-cuda-bfloat16"
        assert models_command("load", folder.name, "--device", "cuda").startswith("chat: snapshot, bfloat16, ")
        assert models_command("load", folder.name).startswith("chat: mapped, float32, ")


def test_weights_that_are_not_here_are_named_with_the_remedy(empty_machine: Path) -> None:
    with pytest.raises(CommandError, match=r"model\.gguf is missing"):
        models_command("load", "qwen2.5-coder-0.5b")
