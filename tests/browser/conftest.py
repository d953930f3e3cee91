"""A real Chromium, and a server for the modules under static/."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from inference.models.catalog import find_model
from inference.models.fetching import ensure_model
from tests.conftest import REPOSITORY
from tests.live import RunningParlance, running_parlance

NAMES = ("chromium", "chromium-browser", "google-chrome")
HEADLESS_SHELL = "chromium-headless-shell"
"""The same engine without a window's own interface, which costs four times as much as a page."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
EMPTY_PAGE = b"<!doctype html><html lang=en><title>modules</title><body></body></html>"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups, and before the conftest above
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One Chromium at a time: two would make the sound of both stutter. The newcomer comes to an empty product."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
    items.sort(key=lambda item: item.path.stem != "test_sample")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; the contract says that it may be missing anywhere but in CI."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"none of {', '.join(NAMES)} is installed"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return path


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """For this package, not for the session: its event loop would stand in the way of other tests' loops."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def common_browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """One for all modules that need no sound of their own: each start takes seconds."""
    browser = playwright.chromium.launch(executable_path=shutil.which(HEADLESS_SHELL) or chromium, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A module's `MICROPHONE` (a WAV file) is what the fake microphone hears, once."""
    sound: Path | None = getattr(request.module, "MICROPHONE", None)
    if sound is None:
        yield request.getfixturevalue("common_browser")
        return
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={sound}%noloop"]
    browser = playwright.chromium.launch(executable_path=chromium, args=flags)
    yield browser
    browser.close()


class ModuleHandler(SimpleHTTPRequestHandler):
    """Files of the repository, an empty page to import them into, and pages that tests have put there."""

    protocol_version = "HTTP/1.1"  # a page has fifty modules, and needs no connection for each
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        from tests.browser.scripted import PAGES, path_of  # needs settings, which are not there yet above

        text, headers = PAGES.get(path_of(self.path), ("", {}))
        if self.path != "/" and not text:
            super().do_GET()
            return
        body = text.encode() or EMPTY_PAGE
        self.send_response(200)
        for name, value in ({"Content-Type": "text/html"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: pytest shows what failed."""


@pytest.fixture(scope="module")
def module_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(ModuleHandler, directory=str(REPOSITORY)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def page(browser: Browser, module_server: str) -> Iterator[Page]:
    """An empty page beside the modules; an error that nobody catches fails the test, and what the policy refuses."""
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(module_server)
    yield page
    context.close()
    assert errors == []


@pytest.fixture(scope="session")
def summarizer() -> None:
    """The real one, fetched and unpacked once, before a server starts that is to have it."""
    call_command("models", "fetch", "qwen2.5-coder-0.5b")


@pytest.fixture(scope="package")
def weights(whisper_base: Path, models: Path, summarizer: None) -> None:
    """All that the real product has as it is delivered."""
    ensure_model(find_model("segmentation-campplus"), models)


@pytest.fixture(scope="package")
def parlance(weights: None) -> Iterator[RunningParlance]:
    """The real product in a folder of its own, one for all modules: each start takes half a minute of processor."""
    with running_parlance() as parlance:
        yield parlance
