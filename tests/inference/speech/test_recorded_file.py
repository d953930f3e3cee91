"""What captions are made from: whichever track people speak on, at a level at which they are heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference.audio import SAMPLE_RATE, UnreadableAudioError, decode_file
from inference.media.errors import FormatUntold, NoSuchTrack
from inference.media.options import DecodeOptions, TrackChoice, UnknownTrack, track_options
from inference.speech.crosstalk import CrosstalkGate
from inference.speech.recorded_file import RecordedFile, Sound
from tests import recordings

CLIP = Path(__file__).parents[2] / "speech" / "lobster_24s.flac"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Eight seconds of it."""
    return next(decode_file(CLIP, block=8 * SAMPLE_RATE))


def whole(path: Path, options: DecodeOptions | None = None) -> tuple[np.ndarray, RecordedFile]:
    file = RecordedFile(path) if options is None else RecordedFile(path, options)
    return np.concatenate(list(file)), file


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    size = 1 << 18
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    return float(np.abs(product).max() / (np.linalg.norm(heard) * np.linalg.norm(said)))


def test_an_ordinary_recording_passes_unchanged() -> None:
    samples, file = whole(CLIP)
    np.testing.assert_array_equal(samples, np.concatenate(list(decode_file(CLIP))))
    assert (file.sound, file.missing_s, file.mixed, file.tracks) == (Sound.SPEECH, 0.0, {0}, 1)


class TestTracks:
    def test_silence_on_the_default_one_hides_nobody(self, tmp_path: Path, speech: np.ndarray) -> None:
        path = recordings.film(tmp_path / "x.mkv", [0 * speech, speech])
        samples, file = whole(path)
        assert (file.mixed, file.tracks) == ({0, 1}, 2)
        assert likeness(samples, speech) > 0.95

    def test_a_track_without_speech_is_left_out(self, tmp_path: Path, speech: np.ndarray) -> None:
        noise = np.random.default_rng(1).normal(0, 0.05, len(speech)).astype(np.float32)
        _, file = whole(recordings.film(tmp_path / "x.mkv", [speech, noise]))
        assert file.mixed == {0}

    def test_who_speaks_late_is_heard_from_the_first_word(self, tmp_path: Path, speech: np.ndarray) -> None:
        late = np.concatenate((np.zeros(6 * SAMPLE_RATE, np.float32), speech[: 3 * SAMPLE_RATE]))
        samples, file = whole(recordings.film(tmp_path / "x.mkv", [speech, late]))
        assert file.mixed == {0, 1}
        assert likeness(samples[6 * SAMPLE_RATE :], late[6 * SAMPLE_RATE :]) > 0.5

    def test_a_translation_is_another_version(self, tmp_path: Path, speech: np.ndarray) -> None:
        path = recordings.film(tmp_path / "x.mkv", [speech, speech[::-1]], languages=["eng", "por"], default=0)
        assert whole(path)[1].mixed == {0}
        assert whole(path, DecodeOptions(tracks=TrackChoice.ALL))[1].mixed == {0, 1}

    def test_one_by_its_number(self, tmp_path: Path, speech: np.ndarray) -> None:
        path = recordings.film(tmp_path / "x.mkv", [speech[::-1], speech])
        samples, file = whole(path, DecodeOptions(track=2))
        assert file.mixed == {1}
        assert likeness(samples, speech) > 0.95
        with pytest.raises(NoSuchTrack, match=r"x\.mkv has no audio track 3"):
            next(RecordedFile(path, DecodeOptions(track=3)))

    @pytest.mark.parametrize("text", ["0", "17", "first", "-1", "1.5", "²"])
    def test_what_is_no_track(self, text: str) -> None:
        with pytest.raises(UnknownTrack, match="is no audio track; use a number from 1 to 16, or all"):
            track_options(text)


class TestWithoutHeader:
    @pytest.fixture
    def raw(self, speech: np.ndarray, tmp_path: Path) -> Path:
        path = tmp_path / "call.raw"
        path.write_bytes((speech * 32_767).astype("<i2").tobytes())
        return path

    def test_a_format_that_is_told(self, raw: Path, speech: np.ndarray) -> None:
        samples, _ = whole(raw, DecodeOptions(input_format="s16le@16000"))
        np.testing.assert_allclose(samples, speech, atol=1e-3)

    def test_a_format_that_the_name_tells(self, raw: Path, speech: np.ndarray) -> None:
        samples, _ = whole(raw, DecodeOptions(name="call.sln16"))
        np.testing.assert_allclose(samples, speech, atol=1e-3)

    def test_a_format_that_nobody_tells(self, raw: Path) -> None:
        with pytest.raises(FormatUntold, match=r"call\.raw has no header that says what it holds"):
            next(RecordedFile(raw))

    def test_a_name_that_is_wrong(self, tmp_path: Path, speech: np.ndarray) -> None:
        path = tmp_path / "call.ulaw"
        soundfile.write(path, speech, SAMPLE_RATE, format="WAV")
        np.testing.assert_allclose(whole(path)[0], speech, atol=1e-3)

    def test_a_telephone_call(self, tmp_path: Path, speech: np.ndarray) -> None:
        path = recordings.record(tmp_path / "call.al", codec="pcm_alaw", container="alaw", rate=8_000)
        assert len(whole(path)[0]) == 10 * SAMPLE_RATE


class TestNothingHeard:
    @pytest.mark.parametrize(("level", "sound"), [(0.0, Sound.SILENCE), (3e-4, Sound.FAINT), (0.1, Sound.NO_SPEECH)])
    def test_noise_is_never_raised_to_speech(self, tmp_path: Path, level: float, sound: Sound) -> None:
        noise = np.random.default_rng(2).normal(0, level, 5 * SAMPLE_RATE)
        soundfile.write(tmp_path / "x.wav", noise, SAMPLE_RATE, subtype="FLOAT")
        assert whole(tmp_path / "x.wav")[1].sound == sound

    @pytest.mark.parametrize("level_db", [-45, -60])
    def test_quiet_speech_is_speech(self, tmp_path: Path, speech: np.ndarray, level_db: float) -> None:
        soundfile.write(tmp_path / "x.wav", speech * 10 ** (level_db / 20), SAMPLE_RATE, subtype="FLOAT")
        samples, file = whole(tmp_path / "x.wav")
        assert file.sound == Sound.SPEECH
        assert likeness(samples, speech) > 0.95


class TestChannels:
    def test_each_has_its_own_words_and_no_crosstalk(self, tmp_path: Path, speech: np.ndarray) -> None:
        half = len(speech) // 2
        left, right = speech.copy(), speech.copy()
        left[half:], right[:half] = 0, 0
        heard = np.stack((left + 0.2 * np.roll(right, 80), right + 0.2 * np.roll(left, 160)), axis=1)
        soundfile.write(tmp_path / "x.wav", heard, SAMPLE_RATE)
        file = RecordedFile(tmp_path / "x.wav", DecodeOptions(separate_channels=True))
        mono = np.concatenate(list(file))
        assert file.channels == 2
        assert likeness(mono, speech) > 0.9
        assert {channel for start, _, channel in file.channel_spans if start < half / SAMPLE_RATE - 0.5} == {0}
        assert {channel for start, _, channel in file.channel_spans if start > half / SAMPLE_RATE + 0.2} == {1}

    def test_two_who_speak_at_once_are_both_kept(self, speech: np.ndarray) -> None:
        both = np.stack((speech, 0.3 * speech[::-1]))
        gated = CrosstalkGate(2).push(both)
        kept = np.square(gated[1]).sum() / np.square(both[1]).sum()
        assert kept > 0.8

    def test_one_voice_on_both_channels_is_heard_once(self, speech: np.ndarray) -> None:
        noise = np.random.default_rng(4).normal(0, 1e-4, (2, len(speech))).astype(np.float32)
        gated = CrosstalkGate(2).push(np.stack((speech, 0.95 * speech)) + noise)
        loud = np.abs(speech) > 0.05
        assert np.mean((np.abs(gated[:, loud]) > 0.01).sum(axis=0) == 1) > 0.95

    def test_what_breaks_off_is_heard_until_there(self, tmp_path: Path, speech: np.ndarray) -> None:
        soundfile.write(tmp_path / "x.wav", np.stack((speech, speech), axis=1), SAMPLE_RATE)
        file = RecordedFile(tmp_path / "x.wav", DecodeOptions(separate_channels=True))
        blocks = file.channel_blocks()
        next(blocks)
        file.kill()
        with pytest.raises(UnreadableAudioError):
            list(blocks)
