"""Diarization from the settings: which networks, and how the pool moves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import Listener, VoiceListener, has_community, voice_files
from inference.diarization.segmentation import SEGMENTATION_WINDOW
from inference.models.catalog import default_model
from inference.models.device import CPU, Device, choose_device
from inference.models.loading import check_sizes
from inference.models.residency.plan import Group, ModelNeed, ModelSize
from inference.models.residency.resident import HostOnlyResident
from inference.models.residency.torch_module import TorchResident
from inference.models.residency.transfers import Member
from meetings.environment import Environment

SPEAKERS = "speakers"
"""Name in the pool."""

SPEAKERS_WORKING_BYTES = 200_000_000
"""Bytes in addition to the weights: a generous estimate of the activations and embeddings of one window."""

WARM_UP_HZ = 150.0


def load_listener(environment: Environment) -> Listener:
    """Load the diarization networks outside of a pool. Use them from any thread, but from one at a time.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    device = choose_device(environment.device)
    return _load(environment, _folder(environment), device=device, runs_on=device)


def speakers_member(environment: Environment, device: Device) -> Member:
    """Return the networks as a deferred member of the pool of `device`: they join while captions already run.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
    """
    folder = _folder(environment)

    def load() -> VoiceListener:
        # Always load on the host, where the pool can move it.
        return _load(environment, folder, device=CPU, runs_on=device)

    resident: TorchResident[VoiceListener] | HostOnlyResident[VoiceListener]
    if device.kind == "cpu" or has_community(folder):
        resident = TorchResident(load, device=device, folder=environment.data, warm_up=_warm_up)
        size = ModelSize(sum(path.stat().st_size for path in voice_files(folder)), SPEAKERS_WORKING_BYTES)
    else:  # the starter networks run on the CPU even if there is a GPU
        resident = HostOnlyResident(load, warm_up=_warm_up)
        size = ModelSize(0)
    need = ModelNeed(folder.name, Group.TRANSCRIPTION, size, "give PARLANCE_DEVICE_BUDGET_GB more")
    return Member(SPEAKERS, need, resident, is_deferred=True)


def _folder(environment: Environment) -> Path:
    return check_sizes(default_model(environment.profile, "speakers"), environment.models)


def _load(environment: Environment, folder: Path, *, device: Device, runs_on: Device) -> VoiceListener:
    """Load the networks, and limit torch to one CPU thread per call in the whole process.

    These networks are too small to be worth splitting, and waiting threads take cores from recognition. Whisper through
    transformers is limited too: with two threads on a busy machine it took three times as long, and five times the CPU
    time.
    """
    import torch

    from inference.diarization.local_speakers import load_listener as load

    torch.set_num_threads(1)
    return load(folder, device=device, runs_on=runs_on, wishes=environment.optimizations)


def _warm_up(listener: Listener) -> None:
    """Process a tone, since silence is skipped early."""
    tone = 0.1 * np.sin(2 * np.pi * WARM_UP_HZ * np.arange(SEGMENTATION_WINDOW) / SAMPLE_RATE)
    listener.listen(tone.astype(np.float32))
