from __future__ import annotations

import pytest

from inference.summarization.support import Unsupported, find_fault, number_runs, supporting
from tests.inference.summarization.talk import sentence

SAID = (
    sentence("The remote control will sell for twenty five Euro on the international market.", name="Ana", place=0),
    sentence("The remote control must not cost more than twelve Euro to make.", name="Ben", place=1),
    sentence("Maybe we could use solar batteries from Grizelda.", name="Ben", place=2),
    sentence("People say that the yellow case breaks.", name="Ana", place=3),
    sentence("Is the market in Portugal big?", name="Ana", place=4),
    sentence("I am allergic to animal fur, so fish was a natural choice.", name="Ben", place=5),
    sentence("We'll close the garage and paint the fence.", name="Ben", place=6),
    sentence("In particular, do they want an orange display.", name="Ana", place=7),
)
DITO = (
    sentence("O controle remoto vai custar vinte e cinco euros.", name="Ana", language="pt", place=0),
    sentence("As baterias não podem custar mais de doze euros.", name="Rui", language="pt", place=1),
    sentence("Talvez a Grizelda venda baterias solares.", name="Rui", language="pt", place=2),
)


@pytest.mark.parametrize(
    "line",
    [
        "The remote control will sell for twenty five Euro on the international market.",
        "Ana said the remote control will sell for twenty five Euro.",
        "The remote controls will be sold for 20 5 Euro.",
        "Ben said the remote control must not cost more than twelve Euro.",
        "They discussed solar batteries from Grizelda.",
        "Ana said people say that the yellow case breaks.",
        "Ana asked whether the market in Portugal is big.",
        "Ana asked whether they want an orange display.",
        "The team talked about the international market.",
        "Ana said the remote control will sell for twenty five Euro, and Ben said it must not cost more than twelve.",
    ],
)
def test_what_was_said_is_supported(line: str) -> None:
    assert find_fault(line, SAID, "en") is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("The remote control will sell for thirty Euro.", Unsupported.NUMBER),
        ("The remote control will sell for twenty Euro.", Unsupported.NUMBER),
        ("The remote control will sell for 25.5 Euro.", Unsupported.NUMBER),
        ("The remote control from Sony will sell.", Unsupported.NAME),
        ("The remote control will sell on the domestic market.", Unsupported.WORD),
        ("Designers love the remote control.", Unsupported.WORD),
        ("All remote control will sell on the international market.", Unsupported.WEIGHT),
        ("The yellow case always breaks.", Unsupported.WEIGHT),
        ("The yellow case will break.", None),
        ("The international market must be big.", Unsupported.MIXED),
        ("The remote control breaks.", Unsupported.MIXED),
        ("Ben closed the garage.", Unsupported.TENSE),
        ("Ben painted the fence.", Unsupported.TENSE),
        ("They want an orange display.", Unsupported.CERTAINTY),
        ("The solar batteries sell for twelve Euro.", Unsupported.MIXED),
        ("Ben said the animal fur is natural.", Unsupported.MIXED),
        ("Ben said the remote control will sell on the international market.", Unsupported.SPEAKER),
        ("The remote control will not sell on the international market.", Unsupported.NEGATION),
        ("The remote control must cost more than twelve Euro.", Unsupported.NEGATION),
        ("Ana said the remote control will sell on the international market, but nobody said it.", Unsupported.WEIGHT),
        ("Ana said the remote control should sell on the international market.", Unsupported.OBLIGATION),
        ("They use solar batteries from Grizelda.", Unsupported.CERTAINTY),
        ("The market in Portugal is big.", Unsupported.CERTAINTY),
        ("The yellow case breaks.", Unsupported.REPORTED),
        ("They said it.", Unsupported.NOTHING),
    ],
)
def test_what_was_not_said_is_a_fault(line: str, fault: Unsupported | None) -> None:
    found = find_fault(line, SAID, "en")
    assert found is not None
    assert fault in (None, found)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Ana disse que o controle remoto vai custar vinte e cinco euros.", None),
        ("Rui disse que as baterias não podem custar mais de doze euros.", None),
        ("O controle remoto vai custar trinta euros.", Unsupported.NUMBER),
        ("O controle remoto da Sony vai custar vinte e cinco euros.", Unsupported.NAME),
        ("As baterias podem custar mais de doze euros.", Unsupported.NEGATION),
        ("A Grizelda vende baterias solares.", Unsupported.CERTAINTY),
        ("Rui disse que o controle remoto vai custar vinte e cinco euros.", Unsupported.SPEAKER),
    ],
)
def test_portuguese(line: str, fault: Unsupported | None) -> None:
    assert find_fault(line, DITO, "pt") is fault


def test_a_language_without_lists_must_repeat_every_word() -> None:
    said = (sentence("Der Akku kostet zwölf Euro.", name="Ana", language="de"),)
    assert find_fault("Ana: Der Akku kostet zwölf Euro.", said, "de") is None
    assert find_fault("Der Akku kostet elf Euro.", said, "de") is Unsupported.WORD


def test_a_line_rests_on_the_sentences_that_share_its_words() -> None:
    line = "Ana said the remote control will sell for twenty five Euro, and Ben said solar batteries may be used."
    assert [found.place for found in supporting(line, SAID, "en")] == [0, 2]
    assert supporting("Designers love Sony.", SAID, "en") == []


def test_number_words_that_follow_each_other_are_one_number() -> None:
    assert number_runs("twenty-five or one of 12.50, one hundred", "en") == {("20", "5"), ("12.50",), ("1", "100")}
