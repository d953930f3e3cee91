"""Both kinds of copies give back what they were given, notice damage, and hold memory only as they say."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.models.device import CPU as CPU_DEVICE
from inference.models.residency.host_copies import (
    CHECKSUM_BLOCK,
    CHECKSUM_WORD,
    FileCopy,
    HostCopy,
    WeightCopy,
    checksum,
)
from inference.models.residency.layout import ALIGNMENT, Span
from inference.models.residency.memory import release_memory
from inference.models.residency.resident import WeightsDamaged

CPU = torch.device("cpu")
MIB = 2**20


def spans_of(lengths: list[int]) -> tuple[list[Span], int, torch.Tensor]:
    """Random bytes of those lengths one after the other, and the buffer that they make."""
    generator = torch.Generator().manual_seed(1)
    spans, offset = [], 0
    for length in lengths:
        spans.append(Span(offset, torch.randint(0, 256, (length,), dtype=torch.uint8, generator=generator)))
        offset += -(-length // ALIGNMENT) * ALIGNMENT
    buffer = torch.zeros(offset, dtype=torch.uint8)
    for span in spans:
        buffer[span.offset : span.offset + len(span.source)] = span.source
    return spans, offset, buffer


def host_copy(spans: list[Span], size: int, chunk: int = MIB) -> HostCopy:
    return HostCopy(spans, size, device=CPU, pinned=False, chunk=chunk)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.sampled_from([256, 512, 1024, MIB]))
def test_any_bytes_come_back_whatever_the_pieces(lengths: list[int], chunk: int) -> None:
    spans, size, buffer = spans_of(lengths)
    copy = host_copy(spans, size, chunk)
    assert torch.equal(copy.fetch(), buffer)
    assert torch.equal(copy.fetch(), buffer)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_any_bytes_come_back_from_a_file(lengths: list[int]) -> None:
    spans, size, buffer = spans_of(lengths)
    copy = FileCopy(spans, size, folder=None)
    assert torch.equal(copy.fetch(), buffer)


def test_large_copies_are_summed_block_by_block() -> None:
    spans, size, buffer = spans_of([5 * MIB // 2, 3 * MIB, 700])
    assert torch.equal(host_copy(spans, size, 2 * MIB).fetch(), buffer)
    assert len(checksum(buffer)) == size // (CHECKSUM_BLOCK * CHECKSUM_WORD) + 1


def test_a_file_leaves_no_name_behind(tmp_path: Path) -> None:
    spans, size, _ = spans_of([4096])
    copy = FileCopy(spans, size, folder=tmp_path)
    assert os.listdir(tmp_path) == []
    assert len(copy.fetch()) == size


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    spans, size, _ = spans_of([4096])
    with pytest.raises(FileNotFoundError):
        FileCopy(spans, size, folder=tmp_path / "gone")


def test_writing_to_what_was_fetched_changes_neither_copy() -> None:
    spans, size, buffer = spans_of([4096])
    copies: list[WeightCopy] = [host_copy(spans, size), FileCopy(spans, size, folder=None)]
    for copy in copies:
        copy.fetch().zero_()
        assert torch.equal(copy.fetch(), buffer)


@given(st.integers(0, 3 * MIB - 1), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    buffer = torch.zeros(3 * MIB, dtype=torch.uint8)
    before = checksum(buffer)
    buffer[place] = change
    assert int((checksum(buffer) != before).sum()) == 1


def test_a_damaged_copy_is_refused() -> None:
    spans, size, _ = spans_of([4096])
    host, file = host_copy(spans, size), FileCopy(spans, size, folder=None)
    host._chunks[0][17] ^= 1
    os.pwrite(file._file.fileno(), b"damaged", 100)
    for copy in (host, file):
        with pytest.raises(WeightsDamaged, match="1 of 1 blocks"):
            copy.fetch()


def test_fetching_from_a_file_takes_memory_only_while_it_is_used() -> None:
    """Resident memory rises by the weights, and falls by them when the last tensor that looks into them is gone."""
    size = 64 * MIB
    process = psutil.Process()
    source = torch.randint(0, 256, (size,), dtype=torch.uint8)
    copy = FileCopy([Span(0, source)], size, folder=None)
    del source
    release_memory(CPU_DEVICE)
    before = process.memory_info().rss
    view = copy.fetch()[MIB:]
    assert 60 * MIB < process.memory_info().rss - before < 70 * MIB
    del view
    release_memory(CPU_DEVICE)
    assert process.memory_info().rss - before < 4 * MIB
