from __future__ import annotations

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from meetings.management.commands.translate import LINE_BATCH, batches


def translate(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    output = io.StringIO()
    call_command("translate", *arguments, stdout=output)
    return output.getvalue()


def test_each_line_is_translated_and_blank_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Good morning.\n\n  \r\nWhere is the house?"
    assert translate(monkeypatch, said, "--source", "en", "--target", "pt") == "Bom dia.\n\n\nOnde está a casa?\n"


def test_a_line_that_cannot_be_translated_stays_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Good morning.\n\n今天天气很好\nOKOKOK\nUh-huh.\nOK 42\nhttps://example.org/a\n👋\nHello 👋 my friend.\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    output, errors = io.StringIO(), io.StringIO()
    call_command("translate", "--source", "en-US", "--target", "pt-BR", stdout=output, stderr=errors)
    lines = output.getvalue().splitlines()
    assert lines[:-1] == ["Bom dia.", *said.splitlines()[1:-1]]
    assert "👋" in lines[-1]
    assert errors.getvalue().splitlines() == [f"Line {number} is not translated." for number in (3, 4, 5)]


def test_nothing_in_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert translate(monkeypatch, "", "--source", "pt", "--target", "en") == ""


def test_vocabulary_stands_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "We use the burndown chart every day.\n"
    arguments = ("--source", "en", "--target", "pt", "--vocabulary", "burndown chart")
    assert "burndown chart" in translate(monkeypatch, said, *arguments)


def test_a_batch_is_written_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    written: list[int] = []

    def lines() -> object:
        for number in range(2 * LINE_BATCH + 1):
            written.append(output.getvalue().count("\n"))
            yield f"{number}\n"

    monkeypatch.setattr(sys, "stdin", lines())
    call_command("translate", "--source", "en", "--target", "pt", stdout=output)
    assert written == [LINE_BATCH * (number // LINE_BATCH) for number in range(2 * LINE_BATCH + 1)]
    assert output.getvalue().count("\n") == 2 * LINE_BATCH + 1


def test_batches_hold_every_line_in_order() -> None:
    lines = [str(number) for number in range(40)]
    assert [len(batch) for batch in batches(lines)] == [16, 16, 8]
    assert [line for batch in batches(lines) for line in batch] == lines


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("en", "es", "Spanish is not available with the starter models."),
        ("fr", "en", "French is not available with the starter models."),
        ("en", "en", "The lines are in English already."),
    ],
)
def test_a_pair_that_is_not_offered_is_refused(source: str, target: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=f"^{sentence}$") as failure:
        call_command("translate", "--source", source, "--target", target)
    assert failure.value.returncode == 2
