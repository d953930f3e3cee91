from __future__ import annotations

import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meetings.accounts import link_tokens
from meetings.accounts.link_tokens import Role, is_meeting_token, meeting_token, storage_key
from meetings.models import Meeting


def test_tokens_are_beyond_guessing() -> None:
    made = {meeting_token(Meeting(title="Budget"), role) for role in get_args(Role) for _ in range(500)}
    assert len(made) == 1_000
    lengths = {len(base64.urlsafe_b64decode(token)) * 8 for token in made}
    assert lengths == {192}, "bits, of which an attacker knows none without the secret key"


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, compared = Meeting(title="Budget"), []

    def compare(expected: bytes, given: bytes) -> bool:
        compared.append(given)
        return False

    monkeypatch.setattr(link_tokens.hmac, "compare_digest", compare)
    assert not is_meeting_token(meeting, "join", meeting_token(meeting, "join"))
    assert len(compared) == 1


@given(st.text(max_size=80))
def test_nothing_else_opens_a_meeting(token: str) -> None:
    meeting = Meeting(title="Budget")
    assert not is_meeting_token(meeting, "join", token)
    assert not is_meeting_token(meeting, "host", token)


def test_a_token_is_for_one_meeting_one_role_and_one_generation() -> None:
    meeting, other = Meeting(title="Budget"), Meeting(title="Budget")
    token = meeting_token(meeting, "join")
    assert is_meeting_token(meeting, "join", token)
    assert not is_meeting_token(meeting, "host", token)
    assert not is_meeting_token(other, "join", token)
    meeting.link_generation += 1
    assert not is_meeting_token(meeting, "join", token)


def test_the_key_of_the_browsers_storage_is_the_meetings_and_outlives_its_links() -> None:
    meeting, other = Meeting(title="Budget"), Meeting(title="Budget")
    key = storage_key(meeting)
    assert len(base64.urlsafe_b64decode(key)) * 8 == 256
    assert storage_key(other) != key
    meeting.link_generation += 1
    assert storage_key(meeting) == key
