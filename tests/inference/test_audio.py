from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.audio import (
    SAMPLE_RATE,
    AudioBuffer,
    MisplacedAudioError,
    UnreadableAudioError,
    _Source,
    decode_file,
    pcm16_to_float,
)


def write_wave(path: Path, samples: np.ndarray, *, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def test_pcm_becomes_float_between_minus_one_and_one() -> None:
    assert pcm16_to_float(b"\x00\x80\x00\x00\xff\x7f").tolist() == [-1.0, 0.0, 32767 / 32768]


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of element size"):
        pcm16_to_float(b"\x00\x00\x00")


def test_buffer_answers_by_absolute_position() -> None:
    buffer = AudioBuffer(100)
    buffer.append(np.arange(10))
    buffer.append(np.arange(10, 20))
    assert (buffer.start, buffer.end) == (100, 120)
    assert buffer.slice(105, 112).tolist() == [5, 6, 7, 8, 9, 10, 11]


def test_buffer_forgets_what_is_dropped() -> None:
    buffer = AudioBuffer(0)
    buffer.append(np.arange(10))
    buffer.drop_before(4)
    assert (buffer.start, buffer.end) == (4, 10)
    with pytest.raises(MisplacedAudioError):
        buffer.slice(3, 5)
    with pytest.raises(MisplacedAudioError):
        buffer.slice(8, 11)


def test_buffer_keeps_its_own_copy() -> None:
    samples = np.ones(4, np.float32)
    buffer = AudioBuffer(0)
    buffer.append(samples)
    samples[:] = 0
    assert buffer.slice(0, 4).tolist() == [1, 1, 1, 1]


@given(st.lists(st.integers(0, 50), max_size=20), st.data())
def test_buffer_holds_the_end_of_what_was_appended(sizes: list[int], data: st.DataObject) -> None:
    buffer, everything = AudioBuffer(0), np.zeros(0, np.float32)
    for size in sizes:
        piece = np.arange(len(everything), len(everything) + size, dtype=np.float32)
        buffer.append(piece)
        everything = np.concatenate((everything, piece))
        buffer.drop_before(data.draw(st.integers(0, len(everything) + 5)))
    assert buffer.end == len(everything)
    assert buffer.slice(buffer.start, buffer.end).tolist() == everything[buffer.start :].tolist()


def test_file_comes_in_blocks_and_a_shorter_last_one(tmp_path: Path) -> None:
    tone = (np.sin(np.arange(40_000) / 10) * 20_000).astype(np.int16)
    blocks = list(decode_file(write_wave(tmp_path / "tone.wav", tone)))
    assert [len(block) for block in blocks] == [16_000, 16_000, 8_000]
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.concatenate(blocks), tone / 32768, atol=1e-6)


def test_other_rates_and_stereo_are_converted(tmp_path: Path) -> None:
    left = np.full(48_000, 8_000)
    stereo = np.stack((left, np.zeros_like(left)), axis=1).reshape(-1)
    samples = np.concatenate(list(decode_file(write_wave(tmp_path / "stereo.wav", stereo, rate=48_000, channels=2))))
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=20)
    assert samples[8_000] == pytest.approx(4_000 / 32768, abs=1e-3)


def test_a_text_file_is_not_audio(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound in here")
    with pytest.raises(UnreadableAudioError, match=r"notes\.txt cannot be read as audio"):
        list(decode_file(tmp_path / "notes.txt"))


def test_a_recording_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudioError):
        list(decode_file(write_wave(tmp_path / "empty.wav", np.zeros(0))))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudioError, match=r"gone\.wav"):
        list(decode_file(tmp_path / "gone.wav"))


steps = st.lists(st.tuples(st.sampled_from(["put", "silence", "hurry"]), st.integers(0, 40)), max_size=30)


@given(steps, st.integers(1, 13))
def test_a_source_keeps_every_sample_in_its_place(steps: list[tuple[str, int]], size: int) -> None:
    """Whatever silence was put in its stead, a sample is where the file has it, or was dropped for being late."""
    source, true = _Source(10_000), []
    for kind, count in steps:
        if kind == "put":
            source.put(np.arange(len(true) + 1, len(true) + count + 1, dtype=np.float32))
            true += [*range(len(true) + 1, len(true) + count + 1)]
        elif kind == "silence":
            source.put_silence(count)
            true += [0] * count
        elif count:
            source.hurry_to(source.end + count)
    taken: list[float] = []
    while source.end - len(taken) > 0:
        taken += source.take(min(size, source.end - len(taken))).tolist()
    for place, value in enumerate(taken):
        assert value in (0, true[place] if place < len(true) else 0)
