"""Telling voices apart, from the settings: which networks, and how the pool moves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.diarization.local_speakers import Listener, VoiceListener, has_community, voice_files
from inference.diarization.segmentation import WINDOW
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

WORKING_BYTES = 200_000_000
"""Bytes besides the weights: activations of one window and its prints, generously."""

WARM_UP_HZ = 150.0


def load_listener(environment: Environment) -> Listener:
    """Who tells voices apart, outside of a pool. It may be loaded and used in any thread, by one at a time.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
        NoSuchDevice: PARLANCE_DEVICE names a GPU that is not there.
    """
    device = choose_device(environment.device)
    return _load(environment, _folder(environment), device=device, runs_on=device)


def speakers_member(environment: Environment, device: Device) -> Member:
    """The networks for the pool of `device`, which join captions that are at work.

    Raises:
        ModelMissing, ModelCorrupt: the weights are not here; the message says how to get them.
    """
    folder = _folder(environment)

    def load() -> VoiceListener:
        # On the host, whatever the device, where the pool can move it.
        return _load(environment, folder, device=CPU, runs_on=device)

    resident: TorchResident[VoiceListener] | HostOnlyResident[VoiceListener]
    if device.kind == "cpu" or has_community(folder):
        resident = TorchResident(load, device=device, folder=environment.data, warm_up=_warm_up)
        size = ModelSize(sum(path.stat().st_size for path in voice_files(folder)), WORKING_BYTES)
    else:  # the starter networks run on the CPU beside any GPU
        resident = HostOnlyResident(load, warm_up=_warm_up)
        size = ModelSize(0)
    need = ModelNeed(folder.name, Group.TRANSCRIPTION, size, "give PARLANCE_DEVICE_BUDGET_GB more")
    return Member(SPEAKERS, need, resident, is_deferred=True)


def _folder(environment: Environment) -> Path:
    return check_sizes(default_model(environment.profile, "speakers"), environment.models)


def _load(environment: Environment, folder: Path, *, device: Device, runs_on: Device) -> VoiceListener:
    """Sets torch to one thread a call on the CPU, for the whole process: these networks are too small to be worth
    sharing out, and threads that wait for work take the cores from recognition. Whisper through transformers is held
    to one as well: with two on a busy machine it took three times as long, and five times the processor's time.
    """
    import torch

    from inference.diarization.local_speakers import load_listener as load

    torch.set_num_threads(1)
    return load(folder, device=device, runs_on=runs_on, wishes=environment.optimizations)


def _warm_up(listener: Listener) -> None:
    """Listens to a tone: silence would be told at a glance."""
    tone = 0.1 * np.sin(2 * np.pi * WARM_UP_HZ * np.arange(WINDOW) / SAMPLE_RATE)
    listener.listen(tone.astype(np.float32))
