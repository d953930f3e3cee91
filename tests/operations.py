"""Somebody at the operators' page of a running product, signed in by a one-time link."""

from __future__ import annotations

import re

import httpx

from meetings.broker.commands import Command
from tests.live import RunningParlance

PAGE = "/admin/operations/"


class Operator:
    """Fills in the page's own forms."""

    def __init__(self, parlance: RunningParlance) -> None:
        self._pages = httpx.Client(base_url=parlance.url, follow_redirects=True, timeout=60)
        self._pages.get(parlance.new_sign_in_link()).raise_for_status()

    def tells(self, order: Command) -> str:
        """The only worker there is; the page that answers."""
        return self._posts("tell", "worker", order=order.value)

    def tries_again(self, meeting_id: str) -> str:
        """What was set aside; the page that answers."""
        return self._posts("try-again", meeting=meeting_id)

    def _posts(self, form: str, *hidden: str, **fields: str) -> str:
        page = self._pages.get(PAGE).raise_for_status().text
        given = {name: found[1] for name in ("csrfmiddlewaretoken", *hidden) if (found := _value_of(name, page))}
        return self._pages.post(f"{PAGE}{form}", data={**given, **fields}).raise_for_status().text


def _value_of(name: str, page: str) -> re.Match[str] | None:
    return re.search(rf'name="{name}" value="([^"]+)"', page)
