"""The environment, read once and refused kindly: every `PARLANCE_*` and Django variable that changes what runs."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from inference.media.sandbox import Limits
from inference.models.catalog import MODELS, Profile
from inference.models.optimization.flags import AUTO, FLAGS, FlagChoices, UnknownChoice
from inference.models.residency.plan import PlanChoice
from meetings.base_path import read_base_path
from meetings.file_modes import private_folder
from meetings.openid_config import OpenIdClient, read_openid

AsrBackend = Literal["auto", "ctranslate2", "transformers"]
Bridge = Literal["auto", "on", "off"]
WarmStart = Literal["auto", "on", "off"]
SummaryBits = Literal["auto", "16", "8", "4"]
ResultsOf = Literal["uploads", "all", "none"]
WebServer = Literal["daphne", "uvicorn"]
LogFormat = Literal["auto", "console", "json"]
Hsts = Literal["host", "subdomains", "preload"]

BASE_DIR = Path(__file__).resolve().parent.parent
PREFIX = "PARLANCE_"
DEVICE_PATTERN = re.compile(r"auto|cpu|cuda(:\d+)?")
UNIX_SOCKET_MAX_BYTES = 100
"""Linux allows 107, macOS 103."""
STARTER_TRANSLATION = "starter"
"""The name of the starter translation models: they come with the installation, and not from the catalogue."""
LEAST_BROKER_MB = 16
LOCAL_RESULTS = "local"
S3_PATTERN = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s?#]*)?")
CORS_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[1-9]\d{0,4})?", re.ASCII)
DATABASE_ENGINES = ("django.db.backends.sqlite3", "django.db.backends.postgresql")
BROKER_SCHEMES = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the operator chose; every field has a working default."""

    data: Path
    """Holds database, broker files, recordings and models, and nothing else does."""
    models: Path
    profile: Profile
    device: str
    """`auto`, `cpu`, `cuda` or `cuda:n`."""
    asr_model: str
    """A catalogue name or a folder with a Whisper that `asr_backend` can read; empty: the profile's own."""
    asr_backend: AsrBackend
    """The library that runs Whisper."""
    translation_model: str
    """STARTER_TRANSLATION, a catalogue name or a folder with an M2M100; empty: the profile's own."""
    summary_model: str
    """A catalogue name, a folder or a repository of the hub with a chat model; empty: the profile's own."""
    summary_bits: SummaryBits
    """How many bits a weight of the summariser keeps; `auto`: as many as fit."""
    residency: PlanChoice
    """Whether models may stay in memory together."""
    device_budget: int | None
    """Bytes that models may take of the device's memory; None: most of what is free."""
    bridge: Bridge
    """Whether a small model on the CPU writes provisional captions while a summary is written."""
    warm_start: WarmStart
    """Whether the summariser is loaded at the start, and not for the first summary."""
    results: str
    """Where transcript files are stored: LOCAL_RESULTS, or `s3://bucket/prefix`."""
    second_pass: bool
    """Whether the server reads recordings again when they are captioned."""
    results_of: ResultsOf
    """Which meetings' transcripts are stored as files when they are ready."""
    upload_limit: int
    """Bytes of the largest recording that may be uploaded."""
    longest_media_s: float
    """Seconds of the longest recording that is decoded."""
    optimizations: FlagChoices
    """What was set of `inference.models.optimization.flags`, by name."""
    broker_url: str
    """Empty: the embedded Valkey under `data`."""
    broker_memory: int | None
    """Bytes that the embedded broker's data may take; None: as the machine has."""
    database_url: str
    secret_key: str
    allowed_hosts: list[str]
    keep_audio_days: int | None
    """Days that recordings are kept after the end; None: until somebody deletes them."""
    keep_text_days: int | None
    """Days that meetings are kept after the end; None: until somebody deletes them."""
    meetings_a_day: int
    """Meetings and recordings that one host may make within a day."""
    api_wait_s: float
    """Seconds that a request for a transcription waits for it at most."""
    private_webhooks: bool
    """Whether webhooks may go to private addresses, and by plain http."""
    hang_limit_s: float
    """Seconds after which a call of a model is held to hang, and its worker ends."""
    openid: OpenIdClient | None
    """None: hosts sign in by password alone."""
    web_server: WebServer
    log_format: LogFormat
    """What serves pages and sockets."""
    trusted_origins: list[str]
    """Full origins (`https://captions.example.org`) of pages that may open sockets, beside the server's own."""
    cors_origins: list[str]
    """Origins (`app://obsidian.md`) of pages elsewhere that may call the API."""
    https: bool
    """Everybody comes by https: cookies and pages insist on it."""
    hsts: Hsts
    """For which names browsers remember that everybody comes by https; `preload`: lists of theirs may, too."""
    proxies: list[str]
    """Networks of the proxies whose word on addresses and schemes is believed."""
    base_path: str
    """Path under which the installation is shown, such as `/captions`; empty: the root of its host."""
    debug: bool

    @property
    def media_limits(self) -> Limits:
        """What decoding one recording may take."""
        return Limits(longest_s=self.longest_media_s)

    @property
    def broker_socket(self) -> Path:
        """Return where the socket is: in the data folder, or elsewhere when that path is too long for a Unix socket.

        Raises:
            ImproperlyConfigured: elsewhere is somebody else's. Who connects asks too, not only who listens.
        """
        path = self.data / "valkey.sock"
        if len(str(path).encode()) <= UNIX_SOCKET_MAX_BYTES:
            return path
        name = hashlib.sha256(str(self.data).encode()).hexdigest()[:16]
        return private_folder(Path(tempfile.gettempdir()) / f"parlance-{name}") / "valkey.sock"


def read_environment(values: dict[str, str] | None = None) -> Environment:
    """Reads `os.environ` (or `values`).

    Raises:
        ImproperlyConfigured: a value makes no sense; the message names the variable and what it may be.
    """
    env = dict(os.environ) if values is None else values
    data = Path(env.get("PARLANCE_DATA") or BASE_DIR / "var").expanduser().resolve()
    return Environment(
        data=data,
        models=Path(env.get("PARLANCE_MODELS_DIR") or data / "models").expanduser().resolve(),
        profile=cast(Profile, _one_of(env, "PARLANCE_PROFILE", get_args(Profile))),
        device=_device(env.get("PARLANCE_DEVICE") or "auto"),
        asr_model=env.get("PARLANCE_ASR_MODEL", ""),
        asr_backend=cast(AsrBackend, _one_of(env, "PARLANCE_ASR_BACKEND", get_args(AsrBackend))),
        translation_model=_translation_model(env.get("PARLANCE_TRANSLATION_MODEL", "")),
        summary_model=env.get("PARLANCE_SUMMARY_MODEL", ""),
        summary_bits=cast(SummaryBits, _one_of(env, "PARLANCE_SUMMARY_BITS", get_args(SummaryBits))),
        residency=cast(PlanChoice, _one_of(env, "PARLANCE_RESIDENCY", get_args(PlanChoice))),
        device_budget=_gigabytes("PARLANCE_DEVICE_BUDGET_GB", env.get("PARLANCE_DEVICE_BUDGET_GB", "")),
        bridge=cast(Bridge, _one_of(env, "PARLANCE_BRIDGE", get_args(Bridge))),
        warm_start=cast(WarmStart, _one_of(env, "PARLANCE_WARM_START", get_args(WarmStart))),
        results=_results(env.get("PARLANCE_RESULTS") or LOCAL_RESULTS),
        second_pass=_switch("PARLANCE_SECOND_PASS", env.get("PARLANCE_SECOND_PASS") or "1"),
        results_of=cast(ResultsOf, _one_of(env, "PARLANCE_RESULTS_OF", get_args(ResultsOf))),
        upload_limit=_gigabytes("PARLANCE_UPLOAD_LIMIT_GB", env.get("PARLANCE_UPLOAD_LIMIT_GB") or "4") or 0,
        longest_media_s=_hours("PARLANCE_MAX_MEDIA_HOURS", env.get("PARLANCE_MAX_MEDIA_HOURS") or "12"),
        optimizations=_optimizations(env),
        broker_url=_broker_url(env.get("REDIS_URL", "")),
        broker_memory=_megabytes("PARLANCE_BROKER_MEMORY_MB", env.get("PARLANCE_BROKER_MEMORY_MB", "")),
        database_url=env.get("DATABASE_URL") or f"sqlite:///{data / 'parlance.sqlite3'}",
        secret_key=env.get("SECRET_KEY") or _stored_secret(data),
        allowed_hosts=_hosts(env.get("ALLOWED_HOSTS") or "127.0.0.1,localhost,[::1]"),
        web_server=cast(WebServer, _one_of(env, "PARLANCE_WEB_SERVER", get_args(WebServer))),
        log_format=cast(LogFormat, _one_of(env, "PARLANCE_LOG", get_args(LogFormat))),
        trusted_origins=_origins(env.get("PARLANCE_ORIGINS", "")),
        cors_origins=_cors_origins(env.get("PARLANCE_CORS_ORIGINS", "")),
        keep_audio_days=_days("PARLANCE_KEEP_AUDIO_DAYS", env.get("PARLANCE_KEEP_AUDIO_DAYS", "")),
        keep_text_days=_days("PARLANCE_KEEP_TEXT_DAYS", env.get("PARLANCE_KEEP_TEXT_DAYS", "")),
        meetings_a_day=_count("PARLANCE_MEETINGS_A_DAY", env.get("PARLANCE_MEETINGS_A_DAY") or "1000"),
        api_wait_s=_seconds("PARLANCE_API_WAIT_S", env.get("PARLANCE_API_WAIT_S") or "600"),
        private_webhooks=_switch("PARLANCE_PRIVATE_WEBHOOKS", env.get("PARLANCE_PRIVATE_WEBHOOKS") or "0"),
        hang_limit_s=_seconds("PARLANCE_HANG_LIMIT_S", env.get("PARLANCE_HANG_LIMIT_S") or "60"),
        openid=read_openid(env),
        https=_switch("PARLANCE_HTTPS", env.get("PARLANCE_HTTPS") or "0"),
        hsts=cast(Hsts, _one_of(env, "PARLANCE_HSTS", get_args(Hsts))),
        proxies=_networks("PARLANCE_PROXIES", env.get("PARLANCE_PROXIES", "")),
        base_path=read_base_path(env.get("PARLANCE_BASE_PATH", "")),
        debug=_switch("PARLANCE_DEBUG", env.get("PARLANCE_DEBUG") or "0"),
    )


class _Recorder(dict[str, str]):
    """Variables that remember which of them are asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def misspelt_names(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of our prefix that nothing reads, and the most similar setting of each, or an empty text."""
    recorder = _Recorder(values)
    read_environment(recorder)
    odd = [name for name in values if name.startswith(PREFIX) and name not in recorder.asked]
    return {name: next(iter(get_close_matches(name, sorted(recorder.asked), n=1)), "") for name in sorted(odd)}


def database_config(url: str) -> dict[str, Any]:
    """Return Django's settings for a database. Raises ImproperlyConfigured for a URL of another kind."""
    try:
        with warnings.catch_warnings(action="ignore"):
            found: dict[str, Any] = environ.Env.db_url_config(url)
    except (ValueError, KeyError, ImproperlyConfigured):
        found = {}
    if found.get("ENGINE") not in DATABASE_ENGINES:
        raise ImproperlyConfigured(
            "DATABASE_URL is of no known kind; write sqlite:///path or postgresql://user:password@host/name."
        )
    return found


def _one_of(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The variable's value; unless it is set, the first of `choices`."""
    value = env.get(name) or choices[0]
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; use one of: {', '.join(choices)}.")
    return value


def _device(value: str) -> str:
    if not DEVICE_PATTERN.fullmatch(value):
        raise ImproperlyConfigured(f"PARLANCE_DEVICE is {value!r}; use auto, cpu, cuda or cuda:N.")
    return value


def _translation_model(value: str) -> str:
    """A folder's path has a slash in it; whether it is there matters only where the model is loaded."""
    names = [STARTER_TRANSLATION, *(model.name for model in MODELS if model.stage == "translation")]
    if value and value not in names and "/" not in value:
        raise ImproperlyConfigured(
            f"PARLANCE_TRANSLATION_MODEL is {value!r}; use one of {', '.join(names)}, or the path of a folder."
        )
    return value


def _gigabytes(name: str, value: str) -> int | None:
    """Bytes of a number of 10⁹ bytes."""
    if not value:
        return None
    try:
        gigabytes = float(value)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < 1e6:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number of gigabytes, such as 16.")
    return int(gigabytes * 1e9)


def _megabytes(name: str, value: str) -> int | None:
    """Bytes of a number of 10⁶ bytes; Valkey itself needs some of them."""
    if value and not (value.isdecimal() and LEAST_BROKER_MB <= int(value) < 10**9):
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number of megabytes from {LEAST_BROKER_MB} on.")
    return int(value) * 1_000_000 if value else None


def _results(value: str) -> str:
    if value != LOCAL_RESULTS and not S3_PATTERN.fullmatch(value):
        raise ImproperlyConfigured(f"PARLANCE_RESULTS is {value!r}; use {LOCAL_RESULTS} or s3://bucket/prefix.")
    return value


def _optimizations(env: dict[str, str]) -> FlagChoices:
    """PARLANCE_TORCH_FLAGS, and the variables of one flag each that earlier versions had."""
    known = {flag.name: flag for flag in FLAGS}
    chosen = {name: env.get(flag.variable) or AUTO for name, flag in known.items()}
    for item in env.get("PARLANCE_TORCH_FLAGS", "").replace(",", " ").split():
        name, _, value = item.partition("=")
        if name not in known or not value:
            raise ImproperlyConfigured(
                f"PARLANCE_TORCH_FLAGS holds {item!r}; write name=value, with one of: {', '.join(known)}."
            )
        chosen[name] = value
    try:
        return {name: known[name].check(value) for name, value in chosen.items()}
    except UnknownChoice as error:
        raise ImproperlyConfigured(str(error)) from error


def _broker_url(value: str) -> str:
    """The value may hold a password, so no sentence repeats it."""
    if not value:
        return value
    if not value.startswith(BROKER_SCHEMES):
        raise ImproperlyConfigured(f"REDIS_URL must start with one of {', '.join(BROKER_SCHEMES)}.")
    try:
        _ = urlsplit(value).port
    except ValueError as error:
        raise ImproperlyConfigured("REDIS_URL is no address; write one such as redis://127.0.0.1:6379/0.") from error
    return value


def _hosts(value: str) -> list[str]:
    hosts = _items(value)
    for host in hosts:
        if "/" in host or " " in host or re.search(r"[^:]:\d+$", host):
            raise ImproperlyConfigured(
                f"ALLOWED_HOSTS holds {host!r}; write the name alone, as in captions.example.org."
            )
    if "*" in hosts:
        raise ImproperlyConfigured("ALLOWED_HOSTS holds '*'; name the hosts, or any page could open the sockets.")
    return hosts


def _origins(value: str) -> list[str]:
    origins = _items(value)
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise ImproperlyConfigured(
                f"PARLANCE_ORIGINS holds {origin!r}; write it as https://host or https://host:port."
            )
    return origins


def _cors_origins(value: str) -> list[str]:
    """Origins as browsers send them: in lower case, without a path. `*` and `null` are nobody in particular."""
    origins = _items(value)
    for origin in origins:
        if not CORS_ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(
                f"PARLANCE_CORS_ORIGINS holds {origin!r}; name each origin as browsers send it, such as "
                "https://notes.example.org, http://localhost:3000 or app://obsidian.md."
            )
    return origins


def _seconds(name: str, value: str) -> float:
    if not value.isdecimal() or not 1 <= int(value) <= 86_400:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number of seconds from 1 to 86400.")
    return float(value)


def _hours(name: str, value: str) -> float:
    """Seconds of a number of hours."""
    try:
        hours = float(value)
    except ValueError:
        hours = 0.0
    if not 0.1 <= hours <= 240:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number of hours from 0.1 to 240.")
    return hours * 3600


def _count(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number from 1 on.")
    return int(value)


def _days(name: str, value: str) -> int | None:
    if value and not (value.isdecimal() and 1 <= int(value) <= 36_500):
        raise ImproperlyConfigured(f"{name} is {value!r}; use a number of days from 1 to 36500, or nothing.")
    return int(value) if value else None


def _networks(name: str, value: str) -> list[str]:
    networks = _items(value)
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} holds {network!r}; write an address or a network, such as 127.0.0.1 or 10.0.0.0/8."
            ) from error
    return networks


def _switch(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise ImproperlyConfigured(f"{name} is {value!r}; use 0 or 1.")
    return value == "1"


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _stored_secret(data: Path) -> str:
    """The key made on first start; kept so that links and sessions survive a restart."""
    path = data / "secret_key"
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if isinstance(error, FileExistsError) and data.is_dir():
            return path.read_text(encoding="ascii").strip()
        raise ImproperlyConfigured(f"PARLANCE_DATA ({data}) cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key := secrets.token_urlsafe(48))
    return key
