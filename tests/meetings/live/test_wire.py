"""Hints between processes of different versions: what one does not know, it passes over."""

from __future__ import annotations

import json

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from inference.types import PartialCaption
from meetings.broker import hints, notices
from meetings.broker.hints import Broadcast, Recheck, StoredChange, pack, unpack
from meetings.live import wire
from meetings.models import Meeting, SummaryAttempt

PARTIAL = Broadcast(hints.partial(PartialCaption("9", 9.0, "and so")))
NOTICE = Broadcast(notices.notice("degraded"))

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["type", "state", "segment", "text"]), inner)
    ),
    max_leaves=10,
)


def test_hints_read_back_in_their_order() -> None:
    hints = [StoredChange(7), PARTIAL, Recheck(), NOTICE, StoredChange(8)]
    assert unpack(pack(hints)) == hints


def test_the_form_of_before_is_read() -> None:
    """Recorded at db43a70."""
    recorded = (
        b'[4, "recheck", {"type": "notice", "state": "live", "message": "Captions are live.", "expected_s": null,'
        b' "behind_s": 0.0}, {"type": "partial", "segment": "9", "start": 9.0, "speaker": null, "text": "and so",'
        b' "provisional": false}]'
    )
    assert unpack(recorded) == [StoredChange(4), Recheck(), Broadcast(notices.notice("live")), PARTIAL]


@pytest.mark.parametrize(
    "unknown",
    [
        {"type": "reaction", "emoji": "wave"},
        {"type": "notice", "state": "host_on_the_moon", "message": "x", "expected_s": None, "behind_s": 0},
        {"type": "partial"},
        "reload",
        None,
        True,
        1.5,
        [1],
        {},
    ],
    ids=str,
)
def test_a_kind_of_a_newer_version_is_passed_over_and_the_others_are_not(unknown: object) -> None:
    packed = json.loads(pack([StoredChange(7), PARTIAL]))
    assert unpack(json.dumps([packed[0], unknown, packed[1]]).encode()) == [StoredChange(7), PARTIAL]


def test_a_field_of_a_newer_version_is_passed_on() -> None:
    newer = {**PARTIAL.message, "confidence": 0.5}
    assert unpack(json.dumps([newer]).encode()) == [Broadcast(newer)]  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"7", b"[" * 100_000, b"[" + b"9" * 5_000 + b"]"])
def test_what_is_no_list_of_hints_holds_none(data: bytes) -> None:
    assert unpack(data) == []


@given(st.lists(JSON, max_size=5))
def test_whatever_is_sent_what_is_read_is_a_hint(items: list[object]) -> None:
    for hint in unpack(json.dumps(items).encode()):
        assert isinstance(hint, StoredChange | Broadcast | Recheck)


@pytest.mark.parametrize(
    ("interface", "sentence"),
    [
        ("en", "The summary was put off: the model that writes it failed."),
        ("pt", "O resumo foi adiado: o modelo que o escreve falhou."),
    ],
)
def test_why_the_last_summary_is_put_off_is_said_in_the_readers_language(interface: str, sentence: str) -> None:
    told = wire.in_interface(notices.end_notice(summary_due=True, summary_failure="failed"), interface)
    assert (told["summary_trouble"], "summary_failure" in told) == (sentence, False)
    meeting = Meeting(title="Budget", state="ended")
    SummaryAttempt(meeting=meeting, error="failed")
    with override(interface):
        greeting = wire.hello(meeting, "ended", languages=[], speakers=[], summary_due=True)
        assert greeting["summary_trouble"] == sentence
        assert "summary_trouble" not in wire.hello(meeting, "ended", languages=[], speakers=[])
