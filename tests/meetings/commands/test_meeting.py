from __future__ import annotations

import json
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command

from meetings.accounts.join_codes import find_by_code, join_code
from meetings.accounts.link_tokens import is_meeting_token
from meetings.models import Meeting

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    output = StringIO()
    call_command("meeting", "create", *arguments, stdout=output)
    return output.getvalue()


def test_json_holds_working_links() -> None:
    links = json.loads(create("--title", "Weekly", "--json"))
    assert set(links) == {"id", "host_url", "viewer_url", "host_token", "join_token"}
    meeting = Meeting.objects.get(pk=links["id"])
    assert is_meeting_token(meeting, "host", links["host_token"])
    assert is_meeting_token(meeting, "join", links["join_token"])
    for name, path, token in (("host_url", "/host", "host_token"), ("viewer_url", "/m", "join_token")):
        url = urlsplit(links[name])
        assert (url.netloc, url.path) == ("127.0.0.1:8000", f"{path}/{meeting.pk}/")
        assert parse_qs(url.query) == {"token": [links[token]]}


@pytest.mark.usefixtures("address")
def test_links_lead_to_where_live_listens() -> None:
    assert json.loads(create("--title", "Weekly", "--json"))["host_url"].startswith("http://127.0.0.1:9/host/")


def test_people_get_three_lines() -> None:
    speak, read, code = create("--title", "Weekly").splitlines()
    meeting = Meeting.objects.get()
    assert speak.startswith(f"Speak: http://127.0.0.1:8000/host/{meeting.pk}/?token=")
    assert read.startswith(f"Read:  http://127.0.0.1:8000/m/{meeting.pk}/?token=")
    assert code == f"Code:  {join_code(meeting)}, typed at http://127.0.0.1:8000/join"
    assert find_by_code(code[7:18]) == meeting


def test_options_are_stored() -> None:
    create("--title", "Weekly", "--language", "en-US", "--translate", "pt-BR, spanish", "--summary-every", "300")
    meeting = Meeting.objects.get()
    assert (meeting.title, meeting.language, meeting.languages, meeting.summary_every_s) == (
        "Weekly",
        "en",
        ["pt", "es"],
        300,
    )


def test_defaults_are_english_without_summaries() -> None:
    create("--title", "Weekly", "--summary-every", "off")
    meeting = Meeting.objects.get()
    assert (meeting.language, meeting.languages, meeting.summary_every_s) == ("en", [], None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--title", "  "), "Give the meeting a title"),
        (("--title", "x" * 201), "at most 200 characters"),
        (("--title", "x", "--language", "klingon"), "'klingon' is no language code"),
        (("--title", "x", "--translate", "pt,xx"), "xx: no such language code"),
        (("--title", "x", "--summary-every", "often"), "'often' is neither a number of seconds nor off"),
        (("--title", "x", "--vocabulary", "a" * 2_001), "more than 2000 characters"),
        ((), "--title"),
    ],
)
def test_odd_input_is_refused_with_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        create(*arguments)
    assert not Meeting.objects.exists()
