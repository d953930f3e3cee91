"""Recordings as people have them, made on the spot: tones in any container, with odd tags, cut off, damaged, joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.stream import Disposition

LATIN1 = "Réunion".encode("latin-1")
STAND_IN = "XXXXXXX"
"""As long as LATIN1, for containers whose writer would make UTF-8 of it."""


def tone(seconds: float, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    """A tone of 440 Hz in some noise, without which FFmpeg's AAC writes frames that it cannot read: float32,
    shape (channels, n)."""
    at = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, len(at))
    return np.tile(np.asarray(0.3 * np.sin(2 * np.pi * 440 * at) + noise, np.float32), (channels, 1))


def record(
    path: Path,
    *,
    seconds: float = 10.0,
    codec: str = "pcm_s16le",
    rate: int = 16_000,
    layout: str = "mono",
    container: str | None = None,
    options: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    tracks: int = 1,
) -> Path:
    """Write a tone of so many seconds, on so many tracks."""
    with av.open(str(path), "w", format=container, container_options=dict(options or {})) as output:
        output.metadata.update(tags or {})
        streams = [output.add_stream(codec, rate=rate) for _ in range(tracks)]
        for stream in streams:
            stream.layout = layout
        for stream in streams:
            _encode(output, stream, tone(seconds, rate, av.AudioLayout(layout).nb_channels))
    return path


def _encode(output: av.container.OutputContainer, stream: av.AudioStream, sound: np.ndarray) -> None:
    context = stream.codec_context
    resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=context.sample_rate)
    for start in range(0, sound.shape[1], 1024):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, start : start + 1024]), format="fltp", layout=context.layout
        )
        frame.sample_rate, frame.pts, frame.time_base = context.sample_rate, start, Fraction(1, context.sample_rate)
        for converted in resampler.resample(frame):
            output.mux(stream.encode(converted))
    output.mux(stream.encode(None))


def retagged(path: Path) -> Path:
    """Write a tag in Latin-1 where STAND_IN stands."""
    content = path.read_bytes()
    assert STAND_IN.encode() in content
    path.write_bytes(content.replace(STAND_IN.encode(), LATIN1))
    return path


def with_id3v1(path: Path) -> Path:
    """Append the tag that old recorders write: 128 bytes, of an encoding that nobody names."""
    title = b"R\xe9union du conseil".ljust(30, b"\0")
    path.write_bytes(path.read_bytes() + b"TAG" + title + bytes(94) + b"\xff")
    return path


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """Write the files one behind the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def bare_mp3(path: Path, *, seconds: float = 10.0, rate: int = 16_000, layout: str = "mono") -> Path:
    """An MP3 without any header of its file, as streams are recorded."""
    options = {"write_xing": "0", "id3v2_version": "0"}
    return record(path, seconds=seconds, codec="libmp3lame", rate=rate, layout=layout, options=options)


def damaged(path: Path, *, at: float = 0.5, size: int = 1_500) -> Path:
    """Overwrite some bytes in the middle with noise, always the same."""
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + size] = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    return path


def cut_off(path: Path, *, at: float) -> Path:
    """Keep the first part of the bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * at)])
    return path


def bomb(path: Path, samples: int = 2_291) -> Path:
    """Kilobytes of WAV that claim one sample a second: resampled, they would be hours."""
    record(path, seconds=samples / 16_000)
    content = bytearray(path.read_bytes())
    rate = content.index(b"fmt ") + 12
    content[rate : rate + 8] = (1).to_bytes(4, "little") + (2).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def with_gap(path: Path, *, before_s: float, gap_s: float, after_s: float, rate: int = 48_000) -> Path:
    """Opus with times that leave something out, as a sender does that says nothing while nobody speaks."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libopus", rate=rate)
        stream.layout = "mono"
        sound = tone(before_s + after_s, rate)
        for start in range(0, sound.shape[1] - 959, 960):
            frame = AudioFrame.from_ndarray(sound[:, start : start + 960].copy(), format="flt", layout="mono")
            is_after = start >= before_s * rate
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start + (int(gap_s * rate) if is_after else 0)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def film(
    path: Path,
    tracks: Sequence[np.ndarray],
    *,
    begin_s: float = 0.0,
    codec: str = "aac",
    languages: Sequence[str] = (),
    default: int = 0,
) -> Path:
    """Write a black picture from 0 s on, and float32 sound at 16 kHz that begins later, each array on its own track."""
    seconds = begin_s + max(len(track) for track in tracks) / 16_000
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=5)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        streams = [output.add_stream(codec, rate=48_000, layout="mono") for _ in tracks]
        for index, stream in enumerate(streams):
            stream.disposition = Disposition.default if index == default else Disposition(0)
            if languages:
                stream.metadata["language"] = languages[index]
        for index in range(int(seconds * 5)):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))
            picture.pts, picture.time_base = index, Fraction(1, 5)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for stream, sound in zip(streams, tracks, strict=True):
            _encode_late(output, stream, sound, begin_s)
    return path


def _encode_late(
    output: av.container.OutputContainer, stream: av.AudioStream, sound: np.ndarray, begin_s: float
) -> None:
    context = stream.codec_context
    resampler = av.AudioResampler(format=context.format, layout="mono", rate=48_000, frame_size=960)
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound[None], np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
    for piece in resampler.resample(frame) + resampler.resample(None):
        piece.pts, piece.time_base = (piece.pts or 0) + int(begin_s * 48_000), Fraction(1, 48_000)
        output.mux(stream.encode(piece))
    output.mux(stream.encode(None))


def with_large_picture(path: Path, size: int) -> Path:
    """An MP4 whose cover is `size` zeros, which take no room on the disk: the sound stands before it."""
    record(path, codec="aac", tags={"title": STAND_IN})
    content = path.read_bytes()
    start = content.index(b"ilst") - 4
    boxes = [content.rindex(name, 0, start) - 4 for name in (b"moov", b"udta", b"meta")] + [start]
    assert start + int.from_bytes(content[start : start + 4], "big") == len(content), "the tags come last"
    cover = (size + 24).to_bytes(4, "big") + b"covr" + (size + 16).to_bytes(4, "big") + b"data" + bytes([0, 0, 0, 13])
    content = bytearray(content)
    for box in boxes:
        grown = int.from_bytes(content[box : box + 4], "big") + size + 24
        content[box : box + 4] = grown.to_bytes(4, "big")
    with path.open("wb") as file:
        file.write(content + cover + bytes(4))
        file.truncate(len(content) + size + 24)
    return path
