"""How long a page waits before it comes back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, WebSocketRoute

BACKOFF = """async ([attempt, luck]) => {
    const { backoff } = await import("/static/js/socket.js");
    return backoff(attempt, () => luck);
}"""

URL = """async ([protocol, host]) => {
    const { socketUrl } = await import("/static/js/socket.js");
    return socketUrl("/ws/captions/m/", { token: "a&b", after: 7 }, { protocol, host });
}"""


ATTEMPTS = """async () => {
    const { ReconnectingSocket, socketUrl } = await import("/static/js/socket.js");
    const socket = new ReconnectingSocket(() => socketUrl("/ws/captions/m/", {}));
    const attempts = [];
    return new Promise((resolve) => {
        socket.addEventListener("waiting", () => {
            attempts.push(socket.attempt);
            if (attempts.length < 3) return;
            socket.stop();
            resolve(attempts);
        });
        socket.connect();
    });
}"""


@pytest.mark.parametrize(("attempt", "longest"), [(0, 500), (1, 1_000), (3, 4_000), (5, 15_000), (50, 15_000)])
def test_waits_longer_each_time_but_never_too_long(page: Page, attempt: int, longest: int) -> None:
    assert page.evaluate(BACKOFF, [attempt, 1]) == longest
    assert page.evaluate(BACKOFF, [attempt, 0]) == 250


def test_spreads_evenly(page: Page) -> None:
    assert page.evaluate(BACKOFF, [2, 0.5]) == (250 + 2_000) / 2


@pytest.mark.parametrize(
    ("protocol", "url"),
    [
        ("http:", "ws://host:8000/ws/captions/m/?token=a%26b&after=7&ui=en"),
        ("https:", "wss://host:8000/ws/captions/m/?token=a%26b&after=7&ui=en"),
    ],
)
def test_socket_lies_beside_the_page(page: Page, protocol: str, url: str) -> None:
    assert page.evaluate(URL, [protocol, "host:8000"]) == url


@pytest.mark.parametrize(
    ("word", "attempts"),
    [('{"type":"error","code":"captions_unavailable","message":"Away."}', [1, 2, 3]), ('{"type":"hello"}', [1, 1, 1])],
)
def test_a_server_that_only_complains_is_not_hammered(page: Page, word: str, attempts: list[int]) -> None:
    def answer(socket: WebSocketRoute) -> None:
        socket.send(word)
        socket.close(code=4503)

    page.route_web_socket("**/ws/**", answer)
    assert page.evaluate(ATTEMPTS) == attempts
