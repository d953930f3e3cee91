from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inference.audio import SAMPLE_RATE
from inference.diarization.campplus import MEL_BINS, CamPlusPlus
from inference.diarization.embedding import CamPlusPlusEmbedder, load_network
from inference.diarization.local_speakers import VoiceListener, load_listener
from inference.diarization.segmentation import FRAMES, LOCAL_SPEAKERS, SEGMENTATION_WINDOW, PyannoteSegmenter
from inference.models.loading import ModelCorrupt
from tests.inference.diarization.meetings import Meeting

pytestmark = pytest.mark.xdist_group("voices")


class NobodySegmenter:
    """A double that must not be asked."""

    def segment(self, audio: np.ndarray) -> np.ndarray:
        raise AssertionError("silence was segmented")


def test_silence_has_no_voices_and_costs_nothing(listener: VoiceListener) -> None:
    muted = VoiceListener(NobodySegmenter(), SignEmbedder())
    assert muted.listen(np.zeros(SEGMENTATION_WINDOW, np.float32)) == ()
    quiet = np.random.default_rng(1).normal(0, 1e-4, SEGMENTATION_WINDOW).astype(np.float32)
    assert listener.listen(quiet) == ()


def test_two_people_in_a_window_are_two_voices(listener: VoiceListener, two_voices: Meeting) -> None:
    """The first turn ends after 5.5 s, the second begins at 5.9 s."""
    voices = sorted(listener.listen(two_voices.samples[:SEGMENTATION_WINDOW]), key=lambda one: one.active.argmax())
    assert len(voices) == 2
    first, second = voices
    assert not first.active[300:].any()
    assert not second.active[:275].any()
    assert second.active[300:].mean() > 0.8
    assert first.print is not None
    assert second.print is not None
    assert first.print @ second.print < 0.3


class OneVoiceSegmenter:
    """A double that takes all sound for one voice with a pause, as the real one does with alike voices."""

    def segment(self, audio: np.ndarray) -> np.ndarray:
        frames = np.zeros((FRAMES, LOCAL_SPEAKERS), bool)
        frames[:, 0] = True
        frames[290:310, 0] = False
        return frames


class SignEmbedder:
    """A double for which positive and negative samples are two persons."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def embed(self, speech: np.ndarray) -> np.ndarray:
        self.seconds.append(len(speech) / SAMPLE_RATE)
        return np.array([1.0, 0.0], np.float32) if speech.mean() > 0 else np.array([0.0, 1.0], np.float32)


def test_unlike_stretches_of_a_voice_are_two_voices() -> None:
    listener = VoiceListener(OneVoiceSegmenter(), SignEmbedder())
    audio = np.ones(SEGMENTATION_WINDOW, np.float32)
    (whole,) = listener.listen(audio)
    assert whole.active.sum() == pytest.approx(483, abs=2)
    audio[SEGMENTATION_WINDOW // 2 :] = -1.0
    before, after = listener.listen(audio)
    assert not (before.active & after.active).any()
    assert np.array_equal(before.active | after.active, whole.active)
    assert before.clean_s + after.clean_s == pytest.approx(whole.clean_s)


def test_the_newest_three_seconds_of_a_stretch_are_printed() -> None:
    embedder = SignEmbedder()
    audio = np.ones(SEGMENTATION_WINDOW, np.float32)
    audio[: 15 * SAMPLE_RATE // 10] = -1.0  # old enough to be left out
    (voice,) = VoiceListener(OneVoiceSegmenter(), embedder).listen(audio)
    assert embedder.seconds == [3.0, 3.0]
    assert voice.clean_s == pytest.approx(9.66, abs=0.02)
    assert voice.print is not None
    assert voice.print.tolist() == [1.0, 0.0]


def test_folded_normalisation_changes_no_print(voice_models: Path) -> None:
    published = CamPlusPlus()
    published.load_state_dict(torch.load(voice_models / "embedding.pt", weights_only=True))
    folded = load_network(voice_models / "embedding.pt")
    features = torch.as_tensor(np.random.default_rng(2).normal(0, 1, (2, 250, MEL_BINS)), dtype=torch.float32)
    with torch.inference_mode():
        assert torch.allclose(published.eval()(features), folded(features), atol=1e-4)
    left = [type(module).__name__ for module in folded.head.modules()]
    assert "BatchNorm2d" not in left


def test_the_same_voice_prints_alike_and_exactly_so_again(listener: VoiceListener, four_voices: Meeting) -> None:
    embedder = listener._embedder
    prints: dict[str | None, list[np.ndarray]] = {}
    for turn in four_voices.turns:
        speech = four_voices.samples[round(turn.start * SAMPLE_RATE) : round(turn.end * SAMPLE_RATE)]
        prints.setdefault(turn.speaker, []).append(embedder.embed(speech))
    assert np.array_equal(embedder.embed(speech), prints[turn.speaker][-1])
    firsts = np.array([pair[0] for pair in prints.values()])
    similar = firsts @ np.array([pair[1] for pair in prints.values()]).T
    assert similar.diagonal().min() > 0.6
    assert similar[~np.eye(4, dtype=bool)].max() < 0.4
    assert np.allclose(np.linalg.norm(firsts, axis=1), 1.0)


def test_a_window_of_another_length_is_refused(listener: VoiceListener) -> None:
    with pytest.raises(ValueError, match="160000 samples"):
        listener.listen(np.ones(SEGMENTATION_WINDOW - 1, np.float32))


@pytest.mark.parametrize("load", [PyannoteSegmenter, CamPlusPlusEmbedder])
def test_files_with_something_else_are_refused(load: type, tmp_path: Path, voice_models: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"no weights")
    with pytest.raises(ModelCorrupt):
        load(tmp_path / "rubbish")
    swapped = "embedding.pt" if load is PyannoteSegmenter else "segmentation.bin"
    with pytest.raises(ModelCorrupt):
        load(voice_models / swapped)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_listener(tmp_path)
