"""Makes meetings, captions and sign-in links for a server under test: `python -m tests.clerk`. Django is started once.

Runs in the environment of the product. Each line that it reads is a JSON list: `meeting` and options of `manage.py
meeting create`, or `link` and the address of the pages, or `state`, a meeting and its state, or `feed`, a meeting and
the choices of `tests.feeder.feed`. Each line that it writes is the meeting's JSON object, the link, or the number of
meetings or captions.
"""

from __future__ import annotations

import json
import os
import sys

import django
from django.core.management import call_command
from django.db import close_old_connections


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    django.setup()
    from meetings.accounts.signin import one_time_link
    from meetings.models import Meeting
    from tests.feeder import feed

    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        close_old_connections()  # the database may have been started anew
        if verb == "meeting":
            call_command("meeting", "create", "--json", *arguments)
        elif verb == "state":
            meeting_id, state = arguments
            print(Meeting.objects.filter(pk=meeting_id).update(state=state))
        elif verb == "feed":
            meeting_id, choices = arguments
            print(len(feed(meeting_id, **choices)))
        else:
            print(one_time_link(*arguments))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
