"""What a host does, step by step, in a real page of the real product."""

from __future__ import annotations

from playwright.sync_api import Page, ViewportSize, expect

from tests.live import RunningParlance

DESKTOP: ViewportSize = {"width": 1280, "height": 800}


def wait_until_captured(host: Page, seconds: float) -> None:
    host.wait_for_function(
        """(seconds) => {
            const [minutes, rest] = document.querySelector("[data-figure=captured]").textContent.split(":");
            return minutes * 60 + Number(rest) >= seconds;
        }""",
        arg=seconds,
        timeout=60_000,
    )


def create_meeting(host: Page, parlance: RunningParlance, *, keep_recording: bool = False) -> str:
    """Signs in, makes a meeting, and returns the viewers' link."""
    host.goto(parlance.new_sign_in_link())
    host.get_by_label("Title").fill("Weekly planning")
    if keep_recording:
        host.get_by_text("More choices").click()
        host.get_by_label("Keep the recording").check()
    host.get_by_role("button", name="Create meeting").click()
    expect(host.locator("[data-connection]")).to_have_text("Ready to start")
    return host.get_by_label("Link for viewers").input_value()


def unfold(host: Page, name: str) -> None:
    host.locator(f"[data-fold={name}] > summary").click()


def start_captions(host: Page) -> None:
    host.get_by_role("button", name="Start captions").click()
    host.get_by_role("button", name="Yes, start captions").click()
    expect(host.get_by_role("button", name="Pause")).to_be_visible()


def ask_to_end(host: Page) -> None:
    """The host confirms it; the meeting ends when the server has captioned everything."""
    host.get_by_role("button", name="End meeting").click()
    host.get_by_role("dialog", name="End for everyone?").get_by_role("button", name="End meeting").click()


def end_meeting(host: Page) -> None:
    ask_to_end(host)
    expect(host.get_by_role("heading", name="The meeting has ended")).to_be_visible(timeout=60_000)


STILL = """() => new Promise((resolve) => {
    const scroller = document.querySelector("[data-transcript]");
    let [top, frames] = [scroller.scrollTop, 0];
    const look = () => {
        frames = scroller.scrollTop === top ? frames + 1 : 0;
        top = scroller.scrollTop;
        if (frames < 10) requestAnimationFrame(look);
        else resolve();
    };
    look();
})"""
"""A browser scrolls smoothly: where the text stands is known some frames later."""


def first_line(page: Page) -> tuple[str, float]:
    """Segment and place of the line that is read first, once the text stands still."""
    page.evaluate(STILL)
    segment = page.evaluate(
        """() => {
            const { top } = document.querySelector("[data-transcript]").getBoundingClientRect();
            const lines = [...document.querySelectorAll("[data-captions] [data-segment]")];
            return lines.find((line) => line.getBoundingClientRect().bottom > top).dataset.segment;
        }"""
    )
    return place_of(page, segment)


def place_of(page: Page, segment: str) -> tuple[str, float]:
    line = page.locator(f'[data-captions] [data-segment="{segment}"]')
    return segment, line.evaluate("(line) => line.getBoundingClientRect().top")
