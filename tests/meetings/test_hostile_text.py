"""What strangers say and type is text on every surface: pages, admin, wire and files. No element is ever made of it.

The browser's side of the same promise is in tests/browser (captions, names, summaries), with the policy enforced.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
import redis
import webvtt
from django.contrib.auth.models import User
from django.test import Client

from inference.types import FinalCaption
from meetings.accounts.link_tokens import meeting_token
from meetings.export.formats import FORMATS
from meetings.live import wire
from meetings.models import Meeting, Speaker, Summary, Translation
from meetings.store import serializers
from meetings.store.transcript import Lease, changes_after, commit, take_lease
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.django_db

CORPUS = (
    "<img src=x onerror=alert(1)>",
    "</title></script><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "\"'><b onmouseover=alert(1)>",
    "{{ 7|add:'7' }}{% now 'Y' %}",
    "[click](javascript:alert(1)) ![x](https://evil.example/x)",
    "<!--<iframe srcdoc='x'>-->",
    "\u202etxt.exe\u202c and \u2066isolated\u2069",
    "zero\u200bwidth\ufeff",
    "-->\n\n00:00.000 --> 99:00.000\n<v Boss>I agree",
    "=cmd|' /C calc'!A0",
)


LINES = {"br", "p"}
"""What the admin makes of line ends."""


class Elements(HTMLParser):
    """Which elements a page has, with scripts told apart by where they come from."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and "src" not in values and values.get("type") != "application/json":
            tag = "inline script"
        if tag not in LINES:
            self.found.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.handlers += [
            str(value) for name, value in attrs if name in ("href", "src") and "javascript:" in str(value)
        ]


def make(words: str) -> Meeting:
    """Everything in it that people or models write is `words`; the caption went the way of every final."""
    meeting = Meeting.objects.create(title=words, vocabulary=words)
    row = take_lease(meeting.pk)
    commit(Lease(row.pk, row.lease_epoch), [FinalCaption("1", 0.0, 1.0, words, "en", ())], None)
    meeting.captions.update(speaker="S1")
    Speaker.objects.create(meeting=meeting, label="S1", name=words[:80], seq=2)
    Translation.objects.create(caption=meeting.captions.get(), language="pt", text=words)
    items = [{"kind": "action", "text": words, "owner": "S1", "segments": ["1"]}]
    Summary.objects.create(meeting=meeting, seq=3, from_s=0, to_s=1, language="en", text=words, items=items)
    Meeting.objects.filter(pk=meeting.pk).update(last_seq=3)
    return Meeting.objects.get(pk=meeting.pk)


def pages(meeting: Meeting) -> dict[str, str]:
    """Every page on which something of it stands."""
    admin = "/admin/meetings/"
    rows = {"caption": meeting.captions.get(), "speaker": meeting.speakers.get(), "summary": meeting.summaries.get()}
    return {
        "list": "/",
        "host": f"/host/{meeting.pk}/",
        "viewer": f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}",
        "transcript": f"/m/{meeting.pk}/read/",
        "admin meetings": f"{admin}meeting/",
        "admin search": f"{admin}meeting/?{urlencode({'q': meeting.title})}",
        "admin meeting": f"{admin}meeting/{meeting.pk}/change/",
        **{f"admin {name} list": f"{admin}{name}/" for name in rows},
        **{f"admin {name}": f"{admin}{name}/{row.pk}/change/" for name, row in rows.items()},
    }


def elements_of_pages(words: str) -> dict[str, Elements]:
    """What an administrator's browser makes of the pages of a meeting of such words, which is deleted again."""
    client = Client()
    client.force_login(User.objects.get(username="root"))
    meeting = make(words)
    found = {}
    for name, address in pages(meeting).items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        assert "unsafe" not in answer["Content-Security-Policy"]
        found[name] = Elements(answer.content.decode())
    meeting.delete()
    return found


def test_no_page_makes_an_element_of_it(broker_sync: redis.Redis) -> None:
    """Pages of hostile words have the same elements as pages of harmless ones."""
    User.objects.create_superuser("root")
    harmless = elements_of_pages("Good morning")
    assert [name for name, elements in harmless.items() if "inline script" in elements.found] == []
    for words in CORPUS:
        for name, elements in elements_of_pages(words).items():
            assert elements.found == harmless[name].found, (name, words)
            assert elements.handlers == [], (name, words)


@pytest.mark.parametrize("words", CORPUS)
def test_wire_and_files_carry_it_as_data(words: str) -> None:
    meeting = make(words)
    messages = [json.loads(wire.encode(serializers.change(row, "pt"))) for row in changes_after(meeting.pk, 0, limit=9)]
    caption = next(message for message in messages if message["type"] == "caption")
    assert (caption["text"], caption["translation"]["text"]) == (words, words)
    assert next(message for message in messages if message["type"] == "summary")["items"][0]["text"] == words
    token = meeting_token(meeting, "join")
    files = {name: Client().get(f"/m/{meeting.pk}/transcript.{name}", {"token": token}) for name in FORMATS}
    for name, answer in files.items():
        assert answer["Content-Disposition"] == f'attachment; filename="transcript-{meeting.pk}.{name}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
    cues = list(webvtt.from_string(files["vtt"].content.decode()))
    assert len({cue.voice for cue in cues}) == 1
    assert max(cue.end for cue in cues) < "00:00:05.000"
    assert Elements(files["md"].content.decode()).found == []
    assert json.loads(files["json"].content)["captions"][0]["text"] == words


def test_no_module_writes_markup() -> None:
    markup = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b")
    found = {path.name for path in (REPOSITORY / "static" / "js").glob("*.js") if markup.search(path.read_text())}
    assert found == set()
