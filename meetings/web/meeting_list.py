"""The list of meetings: which ones, found by what, and what a line of it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from inference.audio import SAMPLE_RATE
from meetings.accounts.rights import Deed, deeds, may_with_all
from meetings.broker.audio_log import hosts_heard
from meetings.broker.client import connect_sync
from meetings.models import Meeting, Speaker, State

MAX_QUERY = 100
MAX_WORDS = 8
NAMED = 3
"""Names in a line; of further speakers only the number."""

SHOWN = (("", gettext_lazy("All")), ("open", gettext_lazy("Not ended")), ("ended", gettext_lazy("Ended")))


@dataclass(frozen=True, slots=True)
class ListedMeeting:
    """One line of the list."""

    meeting: Meeting
    may: frozenset[str]
    """Names of `Deed`s, in lower case."""
    is_away: bool
    """It runs, and nothing comes from its host."""

    @property
    def is_ended(self) -> bool:
        return self.meeting.state == State.ENDED

    @property
    def has_transcript(self) -> bool:
        return bool(self.meeting.last_seq) and "read" in self.may

    @property
    def address(self) -> str:
        """Where the title leads: to what is read once it is over, before to the host's page; empty: nowhere."""
        if self.has_transcript and (self.is_ended or "speak" not in self.may):
            return reverse("read", args=[self.meeting.pk])
        return reverse("host", args=[self.meeting.pk]) if "speak" in self.may else ""

    @property
    def seconds(self) -> float:
        """Length of the audio that is captioned."""
        return self.meeting.cursor / SAMPLE_RATE

    @property
    def state(self) -> str:
        return "host_away" if self.is_away else self.meeting.state

    @property
    def state_words(self) -> str:
        if self.is_away:
            return _("Host not connected")
        if (upload := getattr(self.meeting, "upload", None)) is not None:
            return str(upload.get_state_display())
        # Hosts read this: it is they who are waited for.
        return _("Not started") if self.meeting.state == State.WAITING else str(self.meeting.get_state_display())

    @property
    def speaker_words(self) -> str:
        """The names that the host gave, or how many speak; empty: nobody is known."""
        speakers = list(self.meeting.speakers.all())
        names = [speaker.name for speaker in speakers if speaker.name][:NAMED]
        if not names:
            return _("Speakers: %(count)d") % {"count": len(speakers)} if speakers else ""
        further = len(speakers) - len(names)
        words = ", ".join(names)
        return _("%(names)s and %(count)d more") % {"names": words, "count": further} if further else words


def find_meetings(user: User | AnonymousUser, query: str, shown: str) -> QuerySet[Meeting]:
    """Return the user's meetings, or all for those who may list them in the admin, newest first.

    Args:
        query: words that all must be in the title or in speakers' names.
        shown: one of SHOWN.
    """
    voices = Prefetch("speakers", Speaker.objects.filter(merged_into="").order_by("pk"))
    rows = Meeting.objects.select_related("owner", "upload").prefetch_related(voices)
    if not may_with_all(user, Deed.LIST):
        rows = rows.filter(owner_id=user.pk)
    if shown == "open":
        rows = rows.exclude(state=State.ENDED)
    elif shown == "ended":
        rows = rows.filter(state=State.ENDED)
    for word in query[:MAX_QUERY].split()[:MAX_WORDS]:
        named = Speaker.objects.filter(meeting=OuterRef("pk"), merged_into="", name__icontains=word)
        rows = rows.filter(Q(title__icontains=word) | Exists(named))
    return rows


def list_meetings(user: User | AnonymousUser, meetings: Iterable[Meeting]) -> list[ListedMeeting]:
    """Return a line for each meeting."""
    rows = list(meetings)
    away = _without_host(rows)
    return [ListedMeeting(one, deeds(user, one), one.pk in away) for one in rows]


def _without_host(meetings: list[Meeting]) -> set[str]:
    """Return the running meetings from whose host nothing comes; none while the broker cannot be asked."""
    running = [one.pk for one in meetings if one.state in (State.LIVE, State.PAUSED) and not hasattr(one, "upload")]
    try:
        heard = hosts_heard(connect_sync(), running)
    except (RedisError, OSError):
        return set()
    return {meeting_id for meeting_id, is_heard in zip(running, heard, strict=True) if not is_heard}
