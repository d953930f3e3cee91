"""The product under a path of a host that it shares, behind a real Caddy that cuts the path off or leaves it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.live import free_port
from tests.webs import Webs, running_webs

BASE = "/captions"
START_S = 20.0
PATIENCE_MS = 30_000
"""For a page of fifty modules through a proxy on a busy machine."""


@pytest.fixture(scope="module")
def webs() -> Iterator[Webs]:
    with running_webs("daphne", environment={"PARLANCE_BASE_PATH": BASE}) as running:
        yield running


@pytest.fixture(params=["handle_path", "handle"])
def site(request: pytest.FixtureRequest, webs: Webs, tmp_path: Path) -> Iterator[str]:
    """The address of the host; the recipe is that of docs/deploy.md."""
    caddy = shutil.which("caddy")
    if caddy is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("caddy is not installed")
    port = free_port()
    config = tmp_path / "Caddyfile"
    config.write_text(
        f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{\n\tredir {BASE} {BASE}/\n"
        f"\t{request.param} {BASE}/* {{\n\t\treverse_proxy 127.0.0.1:{webs.first.port}\n\t}}\n}}\n"
    )
    command = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    proxy = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}{BASE}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.terminate()
        proxy.wait(START_S)


def _wait_for(address: str) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            assert httpx.get(address).status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < until, f"nothing answers at {address}"
            time.sleep(0.05)
        else:
            return


def test_everything_works_under_a_path(page: Page, webs: Webs, site: str) -> None:
    wrong: list[str] = []
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    page.on(
        "request", lambda asked: None if asked.url.startswith((f"{site}{BASE}/", "data:")) else wrong.append(asked.url)
    )

    title = f"Weekly planning at {site}"
    page.goto(webs.sign_in_link(f"{site}{BASE}"))
    expect(page).to_have_url(f"{site}{BASE}/")
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Create meeting").click()
    expect(page.locator("[data-connection]")).to_have_text("Ready to start", timeout=PATIENCE_MS)
    link = page.get_by_label("Link for viewers").input_value()
    assert link.startswith(f"{site}{BASE}/m/")
    page.goto(link)
    expect(page.locator("[data-connection]")).to_have_text("Waiting for the host", timeout=PATIENCE_MS)
    page.get_by_role("group").filter(has_text="Appearance").locator("summary").click()
    page.goto(f"{site}{BASE}/admin/")
    page.goto(f"{site}{BASE}/uploads/")
    page.get_by_role("link", name="Parlance").click()
    expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
    assert {cookie["path"] for cookie in page.context.cookies()} == {f"{BASE}/"}
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{site}{BASE}/login/")
    assert wrong == []


def test_programs_find_their_way_under_a_path(webs: Webs, site: str) -> None:
    answer = httpx.post(f"{site}{BASE}/v1/audio/transcriptions", content=b"x" * 10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    [links] = webs.new_meeting()
    made = webs.manage("meeting", "create", "--title", "Budget")
    assert f"{BASE}/host/" in made
    assert f"{BASE}/m/{links.id}/" not in made
    assert httpx.get(f"{site}{BASE}").headers["location"] == f"{BASE}/"
    assert (
        httpx.get(f"{site}{BASE}/host/{links.id}/").headers["location"].startswith(f"{BASE}/login/?next={BASE}/host/")
    )
    # Health checks of the machine itself come without the path.
    assert httpx.get(f"http://127.0.0.1:{webs.first.port}/healthz").status_code == 200
