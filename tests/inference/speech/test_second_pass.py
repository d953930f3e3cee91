from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeRequest, Hypothesis, StageSeconds
from inference.speech.second_pass import Piece, SecondPass, SpokenLanguages, decode
from inference.speech.session import SessionConfig
from tests.inference.doubles import ScriptedDetector, ScriptedTranscriber, hypothesis, sound, word

TALK = sound((0, 10), (0.9, 40), (0, 14), (0.9, 40), (0, 60), (0.9, 40), (0, 40))
"""Two phrases with a short pause, and one after a long pause."""


@dataclass
class Teller:
    """Says of each utterance what is told by its windows of speech: stretches are longer than phrases."""

    says: Mapping[bool, tuple[str, float]]
    asked: list[DecodeRequest] = field(default_factory=list)
    stages: StageSeconds = field(default_factory=StageSeconds)

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        self.asked += requests
        return [self._say(request) for request in requests]

    def _say(self, request: DecodeRequest) -> Hypothesis:
        text, score = self.says[len(request.audio) > 3 * SAMPLE_RATE]
        heard = hypothesis(
            [word(one, 0.4 + index / 4) for index, one in enumerate(text.split())],
            language=request.language or "en",
            mean_log_probability=score,
        )
        return heard if request.kind == "final" else replace(heard, mean_log_probability=-0.9)


def read(
    transcriber: object,
    audio: np.ndarray = TALK,
    *,
    block: int = 16_000,
    start: int = 0,
    config: SessionConfig | None = None,
) -> list[Piece]:
    second_pass = SecondPass(config or SessionConfig("en"), start=start, detector=ScriptedDetector())
    found: list[Piece] = []
    for place in range(0, len(audio), block):
        second_pass.feed(audio[place : place + block])
        found += second_pass.pieces()
    second_pass.flush()
    while second_pass.requests():
        decode(second_pass, transcriber, at_once=2)
        found += second_pass.pieces()
    return found + second_pass.pieces()


def texts(pieces: Sequence[Piece]) -> list[str]:
    return [" ".join(one.text for one in piece.words) for piece in pieces]


@pytest.mark.parametrize(
    ("stretch", "phrase", "expected"),
    [
        (("it is a long way", -0.3), ("it is", -0.5), "it is a long way"),
        (("it is a long way", -0.6), ("a lot away", -0.2), "a lot away a lot away"),
        (("too few", -0.1), ("it is a", -0.4), "it is a it is a"),
    ],
    ids=["the surer stretch", "the surer phrases", "a stretch that leaves out words"],
)
def test_a_stretch_gets_the_surer_text_that_leaves_out_no_words(
    stretch: tuple[str, float], phrase: tuple[str, float], expected: str
) -> None:
    assert texts(read(Teller({True: stretch, False: phrase})))[0] == expected


def test_the_pieces_cover_the_recording_and_depend_on_the_audio_alone() -> None:
    pieces = read(ScriptedTranscriber())
    assert [piece.end for piece in pieces[:-1]] == [piece.start for piece in pieces[1:]]
    assert pieces == read(ScriptedTranscriber(), block=777)


def test_what_was_read_before_is_not_decoded_again() -> None:
    pieces = read(ScriptedTranscriber())
    resumed = ScriptedTranscriber()
    assert read(resumed, start=round(pieces[0].end * SAMPLE_RATE)) == pieces[1:]
    assert all(
        request.start >= pieces[0].end * SAMPLE_RATE - SAMPLE_RATE for batch in resumed.batches for request in batch
    )


def test_a_doubtful_text_is_decoded_once_more_and_dropped_if_that_is_no_better() -> None:
    teller = Teller({True: ("go go", -1.8), False: ("", -3.0)})
    assert texts(read(teller))[0] == "go go"
    assert {request.kind for request in teller.asked} == {"final", "careful"}


def test_a_word_is_what_stands_between_spaces() -> None:
    class Hyphens(ScriptedTranscriber):
        def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
            glued = replace(word("-known", 0.6), spelling="-known")
            return [hypothesis([word("well", 0.4), glued]) for _ in requests]

    assert "well-known" in texts(read(Hyphens()))[0].split()


def test_the_language_is_that_of_most_seconds_at_the_time() -> None:
    languages = SpokenLanguages([(10.0, 12.0, "pt"), (0.0, 5.0, "en"), (12.0, 20.0, "en")])
    assert [languages.at(*span) for span in ((0.0, 4.0), (9.0, 12.5), (9.0, 20.0), (30.0, 40.0))] == [
        "en", "pt", "en", None,
    ]  # fmt: skip


def test_a_hypothesis_that_was_not_asked_for_is_refused() -> None:
    request = DecodeRequest("final", 0, np.zeros(10, np.float32), "en")
    with pytest.raises(ValueError, match="no final decode"):
        SecondPass(SessionConfig("en"), detector=ScriptedDetector()).accept(request, hypothesis([]))
