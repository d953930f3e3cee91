"""The host is told when the next summary is due, and why one is put off."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import ScriptedServer, caption, hello, ledger
from tests.browser.test_host import notice, ready


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page)


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedServer) -> Page:
    server.open_host(module_server)
    server.say(ready(), hello(), caption(1))
    expect(page.locator("[data-connection]")).to_have_text("Live")
    return page


def test_nothing_is_said_without_an_interval(host: Page, server: ScriptedServer) -> None:
    server.say(ledger(captioned_s=3.0))
    expect(host.locator("[data-figure=captioned]")).to_have_text("0:03")
    expect(host.locator("[data-summary-next]")).to_be_hidden()


def test_the_next_one_is_counted_down(host: Page, server: ScriptedServer) -> None:
    line = host.locator("[data-summary-next]")
    for seconds, sentence in (
        (272.4, "Next summary in 4:32"),
        (9.9, "Next summary in 0:09"),
        (0.0, "The next summary comes when something new was said."),
    ):
        server.say(ledger(next_summary_s=seconds))
        expect(line).to_have_text(sentence)
    server.say(ledger())
    expect(line).to_be_hidden()


def test_the_countdown_is_not_announced(host: Page, server: ScriptedServer) -> None:
    server.say(ledger(next_summary_s=60.0))
    line = host.locator("[data-summary-next]")
    expect(line).to_have_role("timer")
    assert line.evaluate("(line) => line.closest('[aria-live], [role=status], [role=alert], [role=log]')") is None


def test_while_one_is_written_there_is_no_next(host: Page, server: ScriptedServer) -> None:
    line = host.locator("[data-summary-next]")
    server.say(ledger(next_summary_s=60.0), notice("summarizing"))
    expect(line).to_be_hidden()
    server.say(notice("live"), ledger(next_summary_s=300.0))
    expect(line).to_have_text("Next summary in 5:00")


def test_without_a_connection_nothing_is_counted(host: Page, server: ScriptedServer) -> None:
    server.say(ledger(next_summary_s=60.0))
    expect(host.locator("[data-summary-next]")).to_be_visible()
    server.close(1012)
    expect(host.locator("[data-summary-next]")).to_be_hidden()


REASON = "The summary was put off: the model that writes it failed."


def test_one_that_is_put_off_is_said_with_its_reason_and_counted_down(host: Page, server: ScriptedServer) -> None:
    line = host.locator("[data-summary-next]")
    for seconds, sentence in ((61.9, "Tried again in 1:01"), (0.0, "Tried again at the next pause.")):
        server.say(ledger(summary_trouble=REASON, retry_summary_s=seconds, next_summary_s=300.0))
        expect(line).to_have_text(sentence)
    expect(host.get_by_role("status").filter(has_text=REASON)).to_be_visible()
    server.say(notice("summarizing"))
    expect(host.locator("[data-summary-trouble]")).to_be_hidden()


def test_one_that_is_put_off_can_be_asked_for_again(host: Page, server: ScriptedServer) -> None:
    now, answer = host.get_by_role("button", name="Summarise now"), host.locator("[data-summary-answer]")
    now.click()
    expect(now).to_be_disabled()
    server.say(ledger(summary_trouble=REASON, retry_summary_s=30.0))
    expect(now).to_be_enabled()
    expect(answer).to_be_hidden()
    now.click()
    server.say(ledger(summary_trouble=REASON, retry_summary_s=29.0))
    expect(host.locator("[data-summary-next]")).to_have_text("Tried again in 0:29")
    expect(answer).to_have_text("The summary will be written at the next pause in speech.")
    expect(now).to_be_disabled()


def test_where_none_can_be_written_none_can_be_asked_for(host: Page, server: ScriptedServer) -> None:
    server.say(ledger(summary_trouble="No summary can be written."))
    expect(host.locator("[data-summary-trouble]")).to_have_text("No summary can be written.")
    expect(host.locator("[data-summary-next]")).to_be_hidden()
    expect(host.get_by_role("button", name="Summarise now")).to_be_disabled()
