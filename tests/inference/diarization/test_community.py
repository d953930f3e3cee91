"""The parts of speaker-diarization-community-1: the same classes with random weights, saved and loaded for real.

The published weights need an account, so here only the way of loading and using them is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import SHORTEST_PRINT, load_listener
from inference.diarization.segmentation import FRAMES, LOCAL_SPEAKERS, SEGMENTATION_WINDOW, PyannoteSegmenter
from inference.diarization.wespeaker import WeSpeakerEmbedder
from inference.models.loading import ModelCorrupt
from inference.models.torchaudio_compat import import_torchaudio

if TYPE_CHECKING:
    from pyannote.audio import Model

pytestmark = [pytest.mark.xdist_group("voices"), pytest.mark.filterwarnings("ignore")]  # torchcodec, lightning


def save(model: Model, path: Path, **specifications: Any) -> Model:
    """Writes a checkpoint as pyannote's own training does."""
    from lightning.pytorch import Trainer
    from pyannote.audio.core.task import Specifications

    model.specifications = Specifications(**specifications)
    model.build()
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(path)
    return model.eval()


def save_segmentation(path: Path, *, classes: int = LOCAL_SPEAKERS) -> Model:
    import_torchaudio()
    from pyannote.audio.core.task import Problem, Resolution
    from pyannote.audio.models.segmentation import PyanNet

    return save(
        PyanNet(lstm={"hidden_size": 8, "num_layers": 1}, linear={"hidden_size": 8, "num_layers": 1}),
        path,
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=[f"speaker{number}" for number in range(classes)],
        powerset_max_classes=2,
        permutation_invariant=True,
    )


def save_embedding(path: Path) -> Model:
    import_torchaudio()
    from pyannote.audio.core.task import Problem, Resolution
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    return save(WeSpeakerResNet34(), path, problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model, Model]:
    """A folder laid out as the hub's repository, and the networks saved in it."""
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("community")
    segmentation = save_segmentation(folder / "segmentation" / "pytorch_model.bin")
    return folder, segmentation, save_embedding(folder / "embedding" / "pytorch_model.bin")


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.1, samples).astype(np.float32)


def test_prints_are_those_of_the_network_that_was_saved(community: tuple[Path, Model, Model]) -> None:
    folder, _, network = community
    speech = noise(2 * SAMPLE_RATE)
    found = WeSpeakerEmbedder(folder / "embedding" / "pytorch_model.bin").embed(speech)
    with torch.inference_mode():
        expected = network(torch.as_tensor(speech)[None, None])[0].numpy()
    assert found.shape == (256,)
    assert np.allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_the_shortest_print_is_long_enough(community: tuple[Path, Model, Model]) -> None:
    print_ = WeSpeakerEmbedder(community[0] / "embedding" / "pytorch_model.bin").embed(noise(SHORTEST_PRINT))
    assert np.linalg.norm(print_) == pytest.approx(1.0)


def test_frames_are_those_of_the_network_that_was_saved(community: tuple[Path, Model, Model]) -> None:
    folder, network, _ = community
    audio = noise(SEGMENTATION_WINDOW)
    found = PyannoteSegmenter(folder / "segmentation" / "pytorch_model.bin").segment(audio)
    with torch.inference_mode():
        classes = network(torch.as_tensor(audio)[None, None])[0].argmax(dim=-1).numpy()
    assert found.shape == (FRAMES, LOCAL_SPEAKERS)
    voices_of_class = np.array([0, 1, 1, 1, 2, 2, 2])
    assert np.array_equal(found.sum(axis=1), voices_of_class[classes])


def test_a_folder_of_its_layout_makes_a_listener(community: tuple[Path, Model, Model]) -> None:
    listener = load_listener(community[0])
    assert isinstance(listener._embedder, WeSpeakerEmbedder)
    voices = listener.listen(noise(SEGMENTATION_WINDOW))
    assert voices != ()
    assert {None if voice.print is None else voice.print.shape for voice in voices} == {(256,)}


@pytest.mark.parametrize(("load", "name"), [(WeSpeakerEmbedder, "segmentation"), (PyannoteSegmenter, "embedding")])
def test_the_wrong_network_is_refused(
    load: Callable[[Path], object], name: str, community: tuple[Path, Model, Model]
) -> None:
    with pytest.raises(ModelCorrupt):
        load(community[0] / name / "pytorch_model.bin")


def test_a_segmentation_of_other_classes_is_refused(tmp_path: Path) -> None:
    save_segmentation(tmp_path / "pytorch_model.bin", classes=4)
    with pytest.raises(ModelCorrupt, match="11 classes"):
        PyannoteSegmenter(tmp_path / "pytorch_model.bin")
