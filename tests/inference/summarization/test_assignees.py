from __future__ import annotations

import pytest

from inference.summarization.assignees import owner_of
from tests.inference.summarization.talk import sentence

SPEAKERS = {"S-Ana": "Ana", "S-Ben": "Ben Smith"}


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("I'll send the report.", "S-Ana"),
        ("Eu vou enviar o relatório.", "S-Ana"),
        ("Ben Smith will send the report.", "S-Ben"),
        ("Ben will send the report.", None),
        ("Somebody has to send the report.", None),
        ("Ana and Ben Smith have to send the report.", None),
    ],
)
def test_owners(text: str, owner: str | None) -> None:
    assert owner_of(sentence(text, name="Ana"), SPEAKERS) == owner


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("Could you send the report?", "S-Ben Smith"),
        ("I need you to send the report.", "S-Ben Smith"),
        ("Could you guys send the report?", None),
        ("Somebody has to send the report.", None),
    ],
)
def test_what_one_is_asked_for_belongs_to_whoever_accepts(text: str, owner: str | None) -> None:
    accepted = sentence("Sure, I can do that.", name="Ben Smith")
    assert owner_of(sentence(text, name="Ana"), SPEAKERS, [accepted]) == owner
