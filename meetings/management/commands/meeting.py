"""`manage.py meeting create`: create a meeting and print its links, for scripts."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import CommandError

from meetings.accounts.join_codes import join_code
from meetings.accounts.link_tokens import meeting_token
from meetings.exit_codes import BAD_INPUT
from meetings.languages import AUTO, LANGUAGES, language_code
from meetings.management.base_url import base_url
from meetings.management.cli import ParlanceCommand
from meetings.models import MAX_VOCABULARY, Meeting


class Command(ParlanceCommand):
    help = "Creates a meeting and prints its links."

    def add_arguments(self, parser: ArgumentParser) -> None:
        create = parser.add_subparsers(dest="action", required=True).add_parser("create", help="create a meeting")
        create.add_argument("--title", required=True)
        create.add_argument("--language", default="en", type=_spoken, metavar="CODE|auto", help="default: en")
        create.add_argument(
            "--translate", default=[], type=_languages, metavar="CODES", help="languages to offer, such as pt,es"
        )
        create.add_argument("--summary-every", type=_interval, metavar="SECONDS|off", help="default: off")
        create.add_argument("--vocabulary", default="", metavar="TERMS", help="names and jargon, separated by commas")
        create.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        meeting = create_meeting(options)
        links = meeting_links(meeting, base_url())
        if options["json"]:
            self.stdout.write(json.dumps(links))
        else:
            self.stdout.write(f"Speak: {links['host_url']}\nRead:  {links['viewer_url']}")
            self.stdout.write(f"Code:  {join_code(meeting)}, typed at {base_url()}/join")


def create_meeting(options: dict[str, Any]) -> Meeting:
    """Validate and store a meeting. Raises CommandError for what the form would reject too."""
    meeting = Meeting(
        title=options["title"],
        language=options["language"],
        languages=options["translate"],
        summary_every_s=options["summary_every"],
        vocabulary=options["vocabulary"],
    )
    if len(meeting.vocabulary) > MAX_VOCABULARY:
        raise CommandError(f"The vocabulary has more than {MAX_VOCABULARY} characters.", returncode=BAD_INPUT)
    try:
        meeting.full_clean()
    except ValidationError as error:
        raise CommandError(" ".join(error.messages), returncode=BAD_INPUT) from error
    meeting.save()
    return meeting


def meeting_links(meeting: Meeting, base: str) -> dict[str, str]:
    """Return what a script needs to speak into the meeting and to read it."""
    host_token, join_token = meeting_token(meeting, "host"), meeting_token(meeting, "join")
    return {
        "id": meeting.pk,
        "host_url": f"{base}/host/{meeting.pk}/?token={host_token}",
        "viewer_url": f"{base}/m/{meeting.pk}/?token={join_token}",
        "host_token": host_token,
        "join_token": join_token,
    }


def _spoken(value: str) -> str:
    code = language_code(value)
    if code is None or (code != AUTO and code not in LANGUAGES):
        raise ArgumentTypeError(f"{value!r} is no language code; use {AUTO} or one such as en, pt, es")
    return code


def _languages(value: str) -> list[str]:
    named = {name.strip(): language_code(name) for name in value.split(",") if name.strip()}
    codes = [code for code in named.values() if code in LANGUAGES]
    unknown = [name for name, code in named.items() if code not in LANGUAGES]
    if unknown:
        raise ArgumentTypeError(f"{', '.join(unknown)}: no such language code; write them as pt,es")
    return list(dict.fromkeys(codes))


def _interval(value: str) -> int | None:
    if value == "off":
        return None
    if not value.isdecimal() or int(value) == 0:
        raise ArgumentTypeError(f"{value!r} is neither a number of seconds nor off")
    return int(value)
