"""Notices: the state of a meeting, and the sentence that viewers read of it. They are sent as hints and not stored."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from django.utils.translation import gettext_noop

NoticeState = Literal["live", "paused", "catching_up", "summarizing", "ended", "degraded", "waiting", "host_away"]


class Notice(TypedDict):
    type: Literal["notice"]
    state: NoticeState
    message: str
    expected_s: float | None
    behind_s: float
    summary_due: NotRequired[bool]
    """Of `ended` only: the last summary is still to be written."""
    summary_failure: NotRequired[str]
    """Why it is put off (`SummaryFailure`), between processes; viewers are told the sentence."""
    summary_trouble: NotRequired[str]
    """The sentence."""


NOTICES: dict[NoticeState, str] = {
    "live": gettext_noop("Captions are live."),
    "paused": gettext_noop("The host has paused. Captions continue when the host does."),
    "catching_up": gettext_noop("Catching up: what was said meanwhile is being captioned now."),
    "summarizing": gettext_noop("A summary is being written. What is said meanwhile is kept and captioned afterwards."),
    "ended": gettext_noop("The meeting has ended."),
    "degraded": gettext_noop("Captions are delayed by a fault. What is said is kept and will be captioned."),
    "waiting": gettext_noop("Waiting for the host to start."),
    "host_away": gettext_noop("The host is not connected. Captions continue when they are back."),
}
"""Sentences shown to viewers, by state."""


def notice(state: NoticeState, *, behind_s: float = 0.0, expected_s: float | None = None) -> Notice:
    return Notice(
        type="notice", state=state, message=NOTICES[state], expected_s=expected_s, behind_s=round(behind_s, 1)
    )


def end_notice(*, summary_due: bool, summary_failure: str = "") -> Notice:
    told: Notice = {**notice("ended"), "summary_due": summary_due}
    return {**told, "summary_failure": summary_failure} if summary_failure else told
