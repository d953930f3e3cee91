"""A reader's page over links that fail without a word: a real server, and a relay between the two that stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.relay import Relay
from tests.webs import Webs, running_webs

LOST = "Connection lost, trying again…"


@pytest.fixture(scope="module")
def webs() -> Iterator[Webs]:
    with running_webs("daphne") as running:
        yield running


@pytest.fixture
def relay(webs: Webs) -> Iterator[Relay]:
    with Relay(webs.first.port) as relay:
        yield relay


def read(page: Page, webs: Webs, relay: Relay) -> None:
    [links] = webs.new_meeting()
    page.goto(f"http://127.0.0.1:{relay.port}/m/{links.id}/?token={links.join_token}")


def test_a_link_that_stands_still_is_told_and_replaced(page: Page, webs: Webs, relay: Relay) -> None:
    page.clock.install()
    read(page, webs, relay)
    status = page.locator("[data-connection]")
    expect(status).to_have_text("Waiting for the host")
    page.clock.fast_forward(18_000)
    expect(status).to_have_text("Waiting for the host")
    relay.stand_still()
    page.clock.fast_forward(22_000)
    expect(status).to_have_text(LOST)
    relay.go_on()
    expect(status).to_have_text("Waiting for the host")


@pytest.mark.parametrize(
    "event", ["new PageTransitionEvent('pageshow', { persisted: true })", "new Event('visibilitychange')"]
)
def test_a_page_that_slept_looks_at_its_link_at_once(page: Page, webs: Webs, relay: Relay, event: str) -> None:
    """Before any timer runs, as these do not while a machine sleeps."""
    read(page, webs, relay)
    expect(page.locator("[data-connection]")).to_have_text("Waiting for the host")
    opened = page.evaluate(f"""() => {{
        let opened = 0;
        window.WebSocket = class extends WebSocket {{ constructor(url) {{ super(url); opened += 1; }} }};
        const now = Date.now() + 3_600_000;
        Date.now = () => now;
        const event = {event};
        (event.type === "pageshow" ? window : document).dispatchEvent(event);
        return opened;
    }}""")
    assert opened == 1


def test_a_network_that_blocks_live_connections_is_named(page: Page, webs: Webs, relay: Relay) -> None:
    relay.refuses_sockets = True
    read(page, webs, relay)
    expect(page.locator("[data-notice]")).to_contain_text("Your network blocks live connections")
    expect(page.locator("[data-connection]")).to_have_text("Blocked by the network")
    relay.refuses_sockets = False
    expect(page.locator("[data-connection]")).to_have_text("Waiting for the host", timeout=20_000)
    expect(page.locator("[data-notice]")).to_be_hidden()
