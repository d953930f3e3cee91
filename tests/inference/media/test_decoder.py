"""Odd files, decoded by the real child process: what is heard of them, and what is said of the rest."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference.audio import SAMPLE_RATE, DecodedFile, decode_file
from inference.media.errors import (
    ChannelsRefused,
    NoSound,
    PlaylistRefused,
    SampleRateRefused,
    TooLong,
    TracksRefused,
    UnreadableAudioError,
)
from inference.media.process import DecoderProcess
from inference.media.protocol import Gap, Header, MediaMessage, Samples
from inference.media.sandbox import DEFAULT_LIMITS, Limits
from tests import REPOSITORY, recordings


def heard(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[float, float | None]:
    """Seconds of sound, and seconds that are missing."""
    file = decode_file(path, limits=limits)
    samples = sum(len(block) for block in file)
    return samples / SAMPLE_RATE, file.missing_s


def sound(file: DecodedFile) -> np.ndarray:
    return np.concatenate(list(file))


def messages(path: Path) -> list[MediaMessage]:
    return list(DecoderProcess(path, DEFAULT_LIMITS).messages())


class TestTags:
    """A tag is for people to read; whatever it holds, the sound is the sound."""

    def test_a_wave_file(self, tmp_path: Path) -> None:
        path = recordings.record(tmp_path / "latin1.wav", tags={"title": recordings.STAND_IN})
        assert heard(recordings.retagged(path)) == (10.0, 0.0)

    def test_an_mp3(self, tmp_path: Path) -> None:
        path = recordings.record(tmp_path / "latin1.mp3", codec="libmp3lame", options={"id3v2_version": "0"})
        assert heard(recordings.with_id3v1(path)) == (pytest.approx(10, abs=0.1), 0.0)

    def test_an_mp4(self, tmp_path: Path) -> None:
        path = recordings.record(tmp_path / "latin1.m4a", codec="aac", tags={"title": recordings.STAND_IN})
        assert heard(recordings.retagged(path)) == (pytest.approx(10, abs=0.1), 0.0)


class TestChanges:
    """Each part is resampled as what it is."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [((44_100, "stereo"), (48_000, "stereo")), ((44_100, "mono"), (44_100, "stereo")),
         ((16_000, "mono"), (48_000, "mono"))],
    )  # fmt: skip
    def test_both_parts_have_their_length_and_pitch(
        self, tmp_path: Path, first: tuple[int, str], second: tuple[int, str]
    ) -> None:
        parts = [
            recordings.bare_mp3(tmp_path / f"{index}.mp3", rate=rate, layout=layout)
            for index, (rate, layout) in enumerate((first, second))
        ]
        whole = sound(decode_file(recordings.joined(tmp_path / "joined.mp3", parts)))
        assert len(whole) / SAMPLE_RATE == pytest.approx(20, abs=0.3)
        assert [pitch(whole, second) for second in (1, 8, 12, 18)] == [440] * 4


def pitch(samples: np.ndarray, second: int) -> int:
    """Hertz of the loudest tone of that second."""
    part = samples[second * SAMPLE_RATE : (second + 1) * SAMPLE_RATE]
    return int(np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax())


class TestDamage:
    """What can be heard is heard, in its place, and it is said how much cannot."""

    @pytest.mark.parametrize(
        ("name", "codec", "missing_s"),
        [("x.mp3", "libmp3lame", 0.5), ("x.m4a", "aac", 0.3), ("x.flac", "flac", 0.072), ("x.webm", "libopus", 4.7),
         ("x.ogg", "libopus", 2.0), ("x.ac3", "ac3", 0.15), ("x.ts", "aac", 0.19)],
    )  # fmt: skip
    def test_in_the_middle(self, tmp_path: Path, name: str, codec: str, missing_s: float) -> None:
        rate = 48_000 if codec in ("libopus", "ac3") else 16_000
        options = {"movflags": "+faststart"} if name.endswith("m4a") else {}
        container = "mpegts" if name.endswith("ts") else None
        whole = recordings.record(
            tmp_path / name, seconds=20, codec=codec, rate=rate, options=options, container=container
        )
        file = decode_file(recordings.damaged(whole))
        samples = sound(file)
        assert file.missing_s == pytest.approx(missing_s, rel=0.3)
        assert len(samples) / SAMPLE_RATE == pytest.approx(20, abs=0.15), "silence stands for what is missing"
        silence = np.count_nonzero(samples == 0) / SAMPLE_RATE
        assert silence == pytest.approx(file.missing_s, abs=0.2)
        assert np.abs(samples[-SAMPLE_RATE:]).max() > 0.1, "what comes after it is heard"

    @pytest.mark.parametrize(
        ("name", "codec"), [("x.m4a", "aac"), ("x.flac", "flac"), ("x.webm", "libopus"), ("x.aiff", "pcm_s16be")]
    )
    def test_at_the_end(self, tmp_path: Path, name: str, codec: str) -> None:
        rate = 48_000 if codec == "libopus" else 16_000
        options = {"movflags": "+faststart"} if name.endswith("m4a") else {}
        path = recordings.record(tmp_path / name, seconds=20, codec=codec, rate=rate, options=options)
        seconds, missing_s = heard(recordings.cut_off(path, at=0.6))
        assert seconds == pytest.approx(12, abs=0.7)
        assert missing_s is not None
        assert seconds + missing_s == pytest.approx(20, abs=0.1)

    def test_noise_in_which_something_seems_to_be_is_no_recording(self, tmp_path: Path) -> None:
        path = recordings.bare_mp3(tmp_path / "x.mp3", seconds=1)
        head = path.read_bytes()[:1_000]
        noise = np.random.default_rng(2).integers(0, 256, 400_000, dtype=np.uint8).tobytes()
        path.write_bytes(head + noise)
        with pytest.raises(UnreadableAudioError, match=r"x\.mp3 cannot be read as audio"):
            heard(path)


class TestBounds:
    def test_a_bomb_of_a_sample_rate(self, tmp_path: Path) -> None:
        path = recordings.bomb(tmp_path / "bomb.wav")
        assert path.stat().st_size < 5_000
        with pytest.raises(SampleRateRefused, match=r"bomb\.wav has 1 samples a second; 4,000 to 384,000 can be read"):
            heard(path)

    @pytest.mark.parametrize(
        ("rate", "is_accepted"), [(3_999, False), (4_000, True), (384_000, True), (400_000, False)]
    )
    def test_sample_rates(self, tmp_path: Path, rate: int, is_accepted: bool) -> None:
        path = write_wave(tmp_path / "x.wav", rate=rate)
        if is_accepted:
            assert heard(path) == (pytest.approx(1, abs=0.01), 0.0)
        else:
            with pytest.raises(SampleRateRefused, match=f"{rate:,} samples a second"):
                heard(path)

    @pytest.mark.parametrize(("channels", "is_accepted"), [(8, True), (9, False)])
    def test_channels(self, tmp_path: Path, channels: int, is_accepted: bool) -> None:
        path = write_wave(tmp_path / "x.wav", channels=channels)
        if is_accepted:
            assert heard(path) == (1.0, 0.0)
        else:
            with pytest.raises(ChannelsRefused, match="9 channels; up to 8 can be read"):
                heard(path)

    @pytest.mark.parametrize(("tracks", "is_accepted"), [(16, True), (17, False)])
    def test_tracks(self, tmp_path: Path, tracks: int, is_accepted: bool) -> None:
        path = recordings.record(tmp_path / "x.mka", seconds=0.5, tracks=tracks)
        if is_accepted:
            assert heard(path) == (0.5, 0.0)
        else:
            with pytest.raises(TracksRefused, match="17 audio tracks; up to 16 can be read"):
                heard(path)

    def test_a_length_that_the_file_states(self, tmp_path: Path) -> None:
        path = write_wave(tmp_path / "x.wav", seconds=5)
        file = decode_file(path, limits=Limits(longest_s=4))
        with pytest.raises(TooLong, match=r"x\.wav is longer than 0\.00111111 hours"):
            next(file)

    def test_a_length_that_turns_out(self, tmp_path: Path) -> None:
        """What a stream left behind does not state its length: what comes before the bound is heard."""
        path = recordings.bare_mp3(tmp_path / "x.mp3", seconds=5)
        file = decode_file(path, limits=Limits(longest_s=3.6))
        blocks: list[np.ndarray] = []
        with pytest.raises(TooLong):
            blocks.extend(file)
        assert 2.9 <= sum(len(block) for block in blocks) / SAMPLE_RATE <= 3.6


def write_wave(path: Path, *, rate: int = 16_000, channels: int = 1, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.full(int(rate * seconds) * channels, 1_000, "<i2").tobytes())
    return path


class TestOtherFiles:
    """A file is read, and nothing that it names."""

    def test_a_list_for_ffmpeg(self, tmp_path: Path) -> None:
        recordings.record(tmp_path / "secret.flac", codec="flac")
        path = tmp_path / "list"
        path.write_text(f"ffconcat version 1.0\nfile secret.flac\nfile {tmp_path / 'secret.flac'}\n")
        with pytest.raises(PlaylistRefused, match="list is a list of other files"):
            heard(path)

    def test_a_playlist(self, tmp_path: Path) -> None:
        recordings.record(tmp_path / "0.ts", codec="aac", container="mpegts")
        path = tmp_path / "list.m3u8"
        path.write_text(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:0\n"
            f"#EXTINF:10.0,\n{tmp_path / '0.ts'}\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(PlaylistRefused):
            heard(path)

    def test_a_film_whose_sound_lies_elsewhere(self, tmp_path: Path) -> None:
        """A QuickTime file may refer to another one (`dref` with `alis` or `url `)."""
        whole = recordings.record(tmp_path / "x.mov", codec="pcm_s16le").read_bytes()
        own = struct.pack(">I4sI", 12, b"url ", 1)
        assert own in whole
        (tmp_path / "x.mov").write_bytes(whole.replace(own, struct.pack(">I4sI", 12, b"url ", 0)))
        assert heard(tmp_path / "x.mov")[0] <= 10.0

    def test_a_name_with_a_colon(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        recordings.bare_mp3(tmp_path / "ten.mp3").rename("10:30.mp3")
        assert heard(Path("10:30.mp3"))[0] == pytest.approx(10, abs=0.2)


class TestWhatIsSaid:
    def test_the_header_has_every_track(self, tmp_path: Path) -> None:
        path = recordings.record(tmp_path / "x.mka", seconds=2, codec="flac", tracks=2, rate=48_000, layout="stereo")
        header, *_ = messages(path)
        assert isinstance(header, Header)
        assert header.duration_s == pytest.approx(2, abs=0.1)
        assert [(track.index, track.codec, track.rate, track.channels) for track in header.tracks] == [
            (0, "flac", 48_000, 2),
            (1, "flac", 48_000, 2),
        ]

    def test_samples_have_their_time(self, tmp_path: Path) -> None:
        times = [message.time_s for message in messages(recordings.record(tmp_path / "x.wav", seconds=3))
                 if isinstance(message, Samples)]  # fmt: skip
        assert times == pytest.approx([0.0, 1.0, 2.0], abs=0.3)

    def test_a_gap_that_is_no_damage_is_told_as_one(self, tmp_path: Path) -> None:
        path = recordings.with_gap(tmp_path / "gap.mka", before_s=3, gap_s=10, after_s=3)
        gaps = [message for message in messages(path) if isinstance(message, Gap)]
        assert [(gap.time_s, gap.seconds) for gap in gaps] == [(pytest.approx(3, abs=0.1), pytest.approx(10, abs=0.1))]
        assert heard(path) == (pytest.approx(16, abs=0.2), 0.0)

    def test_sound_that_begins_late_has_the_time_of_the_file(self, tmp_path: Path) -> None:
        path = recordings.with_gap(tmp_path / "late.mka", before_s=0, gap_s=10, after_s=3)
        first = next(message for message in messages(path) if isinstance(message, Samples))
        assert first.time_s == pytest.approx(10, abs=0.1)

    @pytest.mark.parametrize(("name", "codec"), [("late.mkv", "libopus"), ("late.mp4", "aac"), ("late.mov", "aac")])
    def test_sound_that_begins_after_the_picture_has_the_time_of_the_picture(
        self, tmp_path: Path, name: str, codec: str
    ) -> None:
        samples = sound(decode_file(recordings.film(tmp_path / name, recordings.tone(2), begin_s=3, codec=codec)))
        assert np.flatnonzero(np.abs(samples) > 0.1)[0] / SAMPLE_RATE == pytest.approx(3, abs=0.1)
        assert len(samples) / SAMPLE_RATE == pytest.approx(5, abs=0.1)

    @pytest.mark.parametrize(("factor", "delay"), [(-1, 0), (-0.6, 0), (1, 400)])
    def test_channels_do_not_cancel_in_the_child(self, tmp_path: Path, factor: float, delay: int) -> None:
        one = np.random.default_rng(3).normal(0, 0.1, 3 * SAMPLE_RATE)
        soundfile.write(tmp_path / "x.wav", np.stack((one, factor * np.roll(one, delay)), axis=1), SAMPLE_RATE)
        samples = sound(decode_file(tmp_path / "x.wav"))
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.1 * (1 + abs(factor)) / 2, rel=0.02)

    def test_a_time_of_ten_thousand_hours_makes_no_silence(self, tmp_path: Path) -> None:
        with pytest.raises(TooLong):
            heard(recordings.with_gap(tmp_path / "gap.mka", before_s=1, gap_s=36_000_000, after_s=1))
        stream = recordings.with_gap(tmp_path / "gap.ts", before_s=1, gap_s=80_000, after_s=1)
        assert heard(stream)[0] == pytest.approx(2, abs=0.2)

    def test_a_file_without_sound(self, tmp_path: Path) -> None:
        with pytest.raises(NoSound, match=r"x\.wav holds no sound"):
            heard(write_wave(tmp_path / "x.wav", seconds=0))

    def test_a_pipe_is_read_too(self, tmp_path: Path) -> None:
        """As `transcribe <(…)` has it."""
        path = recordings.bare_mp3(tmp_path / "x.mp3")
        script = (
            "import sys; from inference.audio import decode_file;"
            "print(sum(len(block) for block in decode_file('/dev/stdin')))"
        )
        result = subprocess.run(
            [sys.executable, "-c", script], input=path.read_bytes(), capture_output=True, cwd=REPOSITORY, check=True
        )
        assert int(result.stdout) / SAMPLE_RATE == pytest.approx(10, abs=0.2)


def test_the_child_loads_no_more_than_it_needs() -> None:
    script = (
        "import json, sys, inference.media.__main__, inference.media.decoder;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=REPOSITORY, check=True)
    loaded = set(json.loads(result.stdout))
    assert {"av", "numpy"} <= loaded
    assert not loaded & {"torch", "django", "meetings", "scipy", "transformers", "onnxruntime"}


def test_a_frame_is_resampled_in_pieces() -> None:
    from av.audio.frame import AudioFrame

    from inference.media.track import RESAMPLED_AT_ONCE, pieces

    for layout, kind, shape in (("stereo", "s16p", (2, -1)), ("7.1", "s16", (1, -1))):
        samples = np.arange((2 * RESAMPLED_AT_ONCE + 10) * (2 if layout == "stereo" else 8), dtype=np.int16).reshape(
            shape
        )
        frame = AudioFrame.from_ndarray(samples, format=kind, layout=layout)
        frame.sample_rate = 8_000
        parts = list(pieces(frame))
        assert [part.samples for part in parts] == [RESAMPLED_AT_ONCE, RESAMPLED_AT_ONCE, 10]
        assert {(part.sample_rate, part.layout.name) for part in parts} == {(8_000, frame.layout.name)}
        np.testing.assert_array_equal(np.concatenate([part.to_ndarray() for part in parts], axis=1), samples)
