from __future__ import annotations

from datetime import timedelta
from math import log2

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from meetings.accounts import join_codes
from meetings.accounts.join_codes import ALPHABET, LENGTH, find_by_code, is_open, join_code
from meetings.models import Meeting, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Budget", owner=User.objects.create_user("ana"))


def test_there_are_more_than_anybody_guesses() -> None:
    assert LENGTH * log2(len(set(ALPHABET))) >= 40
    codes = [join_codes._code(Meeting(title="Budget")) for _ in range(2_000)]
    assert len(set(codes)) == 2_000
    assert {frozenset(place) for place in zip(*codes, strict=True)} == {frozenset(ALPHABET)}, "each place holds any"


def test_it_opens_its_meeting_however_it_is_typed(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_codes, "_code", lambda _: "7K01MZX2P")
    assert join_code(meeting) == "7K0-1MZ-X2P"
    for typed in ("7K0-1MZ-X2P", "7k01mzx2p", " 7KO lmz x2p ", "7ko–imz—x2p"):
        assert find_by_code(typed) == meeting


def test_it_is_no_code_before_somebody_was_shown_it(meeting: Meeting) -> None:
    assert find_by_code(join_codes._code(meeting)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.ENDED},
        {"links_expire_at": timezone.now() - timedelta(seconds=1)},
        {"link_generation": 1},
    ],
)
def test_it_ends_with_the_meeting_and_with_the_link(meeting: Meeting, change: dict[str, object]) -> None:
    code = join_code(meeting)
    for state in (State.WAITING, State.LIVE, State.PAUSED):
        Meeting.objects.update(state=state)
        assert find_by_code(code) == meeting
    Meeting.objects.update(**change)
    assert find_by_code(code) is None
    meeting.refresh_from_db()
    if is_open(meeting):
        assert join_code(meeting) != code
        assert find_by_code(join_code(meeting)) == meeting
        assert find_by_code(code) is None


def test_two_meetings_with_one_code_are_opened_by_neither(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_codes, "_code", lambda _: "7K01MZX2P")
    code = join_code(meeting)
    join_code(Meeting.objects.create(title="Board"))
    assert find_by_code(code) is None


def test_the_row_does_not_tell_it(meeting: Meeting) -> None:
    code = join_code(meeting).replace("-", "")
    row = str(Meeting.objects.filter(pk=meeting.pk).values())
    assert code not in row
    assert code.lower() not in row


class TestNothingElse(TestCase):
    @given(st.text(max_size=80))
    def test_opens_a_meeting(self, typed: str) -> None:
        meeting, _ = Meeting.objects.get_or_create(title="Budget")
        join_code(meeting)
        assert find_by_code(typed) is None
