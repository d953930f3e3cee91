"""The page of a transcript, as tests ask for it and read it."""

from __future__ import annotations

import re
from html import unescape

from django.test import Client

from meetings.accounts.link_tokens import Role, meeting_token
from meetings.models import Meeting


def address(meeting: Meeting, role: Role, suffix: str = "read/", **query: str) -> str:
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/m/{meeting.pk}/{suffix}?token={meeting_token(meeting, role)}{extra}"


def texts_of(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"data-wording>([^<]*)</span>", page)]


def body(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()
