from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.summarization.summarizer import ExtractiveSummarizer
from inference.translation.translator import Translation, TranslationRequest
from meetings.batch.summary import recording_summary, sum_up, translate_recording_summary
from meetings.batch.transcription import Transcription, transcription_object
from meetings.export.cues import Cue, CueSpeaker
from meetings.export.summary import SummaryLine

SAID = (
    (None, "The remote control will sell for twenty five Euro in the shops."),
    ("S1", "We decided to use rubber buttons for the remote control."),
    ("S2", "I will send the market report by Friday."),
)
ANA, BEN = CueSpeaker("S1"), CueSpeaker("S2")


class Shouting:
    """A translator whose every language is capitals."""

    label = "capitals"

    def __init__(self) -> None:
        self.asked: list[TranslationRequest] = []

    def targets(self, source: str) -> frozenset[str]:
        return frozenset({"pt"} if source == "en" else ())

    def translate(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        self.asked += requests
        return [Translation(request.text.upper(), True) for request in requests]


def transcription(*said: tuple[str | None, str], language: str | None = "en") -> Transcription:
    cues = [
        Cue(place, 4.0 * place, 4.0 * place + 3.0, text, "en", CueSpeaker(who) if who else None)
        for place, (who, text) in enumerate(said, start=1)
    ]
    return Transcription(cues, language, 20.0, 1.0, {"asr": 1.0})


@pytest.fixture
def summed_up() -> Transcription:
    return sum_up(transcription(*SAID), ExtractiveSummarizer())


def test_a_summary_cites_captions_by_their_number_and_names_owners(summed_up: Transcription) -> None:
    digest = recording_summary(summed_up)
    assert digest is not None
    assert digest.message["items"][1:] == [
        {"kind": "decision", "text": SAID[1][1], "owner": None, "segments": ["2"]},
        {"kind": "action", "text": SAID[2][1], "owner": "S2", "segments": ["3"]},
    ]
    assert digest.items[1:] == (SummaryLine("decision", SAID[1][1]), SummaryLine("action", SAID[2][1], "Speaker 2"))
    header = {key: digest.message[key] for key in ("type", "seq", "id", "from_s", "to_s", "language")}
    assert header == {"type": "summary", "seq": 4, "id": "1", "from_s": 4.0, "to_s": 15.0, "language": "en"}
    assert transcription_object(summed_up, digest=digest)["summary"] == digest.message
    assert list(summed_up.stages) == ["asr", "summary"]


def test_it_is_translated_item_by_item_and_the_seconds_count_as_translation(summed_up: Transcription) -> None:
    translator = Shouting()
    translated = translate_recording_summary(summed_up, translator, target="pt", vocabulary=("Ana",))
    assert summed_up.summary
    assert translated.summary
    texts = [item.text for item in summed_up.summary.items]
    assert [item.text for item in translated.summary.items] == [text.upper() for text in texts]
    assert translated.summary.text == texts[0].upper()
    assert translated.summary.language == "pt"
    assert translator.asked == [TranslationRequest(text, "en", "pt", ("Ana",)) for text in texts]
    assert list(translated.stages) == ["asr", "summary", "translation"]


def test_in_a_language_that_it_cannot_be_had_in_it_stays_as_it_was(summed_up: Transcription) -> None:
    assert translate_recording_summary(summed_up, Shouting(), target="fr") is summed_up


@pytest.mark.parametrize("said", [(), ((None, " \u202e "),)])
def test_where_nothing_was_said_there_is_no_summary(said: tuple[tuple[str | None, str], ...]) -> None:
    silent = transcription(*said, language=None)
    assert sum_up(silent, ExtractiveSummarizer()) is silent
    assert translate_recording_summary(silent, Shouting(), target="pt") is silent
    assert recording_summary(silent) is None
