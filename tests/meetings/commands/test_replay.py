from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from meetings.models import Meeting

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize(
    ("options", "server"), [((), "ws://127.0.0.1:9;"), (("--server", "wss://127.0.0.1:10/"), "wss://127.0.0.1:10;")]
)
def test_speaks_to_where_live_listens_unless_told_otherwise(
    speech: Path, options: tuple[str, ...], server: str
) -> None:
    meeting = Meeting.objects.create(title="Weekly")
    with pytest.raises(CommandError, match=f"Nobody answers at {server}"):
        call_command("replay", str(speech / "lobster_24s.flac"), "--meeting", meeting.pk, *options)
