from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.audio import decode_file
from inference.speech.engine import Engine
from inference.speech.language_mismatch import LanguageMismatch
from inference.speech.recording import caption_recording
from inference.speech.session import CaptionSession, SessionConfig
from inference.speech.whisper import CTranslate2Transcriber
from inference.types import CaptionEvent, FinalCaption, LanguageHeard, Progress
from tests.hearing import SENTENCE, is_heard
from tests.inference.doubles import ScriptedDetector, ScriptedTranscriber, sound

PORTUGUESE = ("ufpalign_falabrasil", "ufpalign_coxinha", "leopard_test_pt")


def finals(events: list[CaptionEvent]) -> list[FinalCaption]:
    return [event for event in events if isinstance(event, FinalCaption)]


def test_every_utterance_is_captioned_and_all_audio_accounted_for() -> None:
    samples = sound((0.9, 40), (0, 40), (0.9, 40), (0, 40), (0.9, 40))[:-100]
    session = CaptionSession(SessionConfig("en"), detector=ScriptedDetector())
    events = list(caption_recording(np.array_split(samples, 7), session, Engine(ScriptedTranscriber())))
    assert len(finals(events)) == 3
    assert isinstance(events[-1], Progress)
    assert events[-1].position == len(samples)


def test_a_silent_recording_has_no_captions() -> None:
    session = CaptionSession(SessionConfig("en"))
    assert list(caption_recording([np.zeros(160_000, np.float32)], session, Engine(ScriptedTranscriber()))) == []


@pytest.fixture(scope="module")
def transcriber(whisper_base: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(whisper_base)


def play_live(samples: np.ndarray, session: CaptionSession, transcriber: CTranslate2Transcriber) -> list[CaptionEvent]:
    """As in a meeting: small frames, live decodes between them."""
    engine = Engine(transcriber)
    events: list[CaptionEvent] = []
    for start in range(session.received, len(samples), 4_000):
        session.feed(samples[start : start + 4_000])
        events += engine.step({"meeting": session}).get("meeting", [])
    return events + list(caption_recording([], session, engine))


def test_an_english_recording_is_english_throughout(speech: Path, transcriber: CTranslate2Transcriber) -> None:
    """Its utterances alone sound like Hungarian, Latin and Arabic."""
    samples = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))
    captions = finals(list(caption_recording([samples], CaptionSession(SessionConfig(None)), Engine(transcriber))))
    assert {caption.language for caption in captions} == {"en"}
    said = (speech / "lobster_24s.txt").read_text(encoding="utf-8")
    assert is_heard(said, " ".join(caption.text for caption in captions))


@pytest.mark.long
def test_live_and_resumed_captions_are_the_same(speech: Path, transcriber: CTranslate2Transcriber) -> None:
    samples = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))[: 16 * 16_000]
    config = SessionConfig("en")
    expected = finals(list(caption_recording([samples], CaptionSession(config), Engine(transcriber))))
    live = play_live(samples, CaptionSession(config), transcriber)
    assert finals(live) == expected
    first = next(event for event in live if isinstance(event, Progress))
    resumed = CaptionSession(config, first.checkpoint)
    rest = list(caption_recording([samples[resumed.audio_from :]], resumed, Engine(transcriber)))
    assert finals(rest) == expected[1:]


def test_words_after_a_minute_of_silence_are_kept(speech: Path, transcriber: CTranslate2Transcriber) -> None:
    samples = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))[163_000:238_000]
    silence = np.zeros(60 * 16_000, np.float32)
    events = caption_recording([silence, samples], CaptionSession(SessionConfig("en")), Engine(transcriber))
    captions = finals(list(events))
    assert is_heard(SENTENCE, " ".join(caption.text for caption in captions))
    assert captions[0].start == pytest.approx(61.0, abs=0.2)


@pytest.fixture(scope="module")
def bilingual(speech: Path) -> np.ndarray:
    """An English sentence and three Portuguese ones in turn."""
    english = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))[163_000:238_000]
    pause = np.zeros(16_000, np.float32)
    portuguese = [np.concatenate(list(decode_file(speech / "portuguese" / f"{name}.flac"))) for name in PORTUGUESE]
    return np.concatenate([part for clip in portuguese for part in (english, pause, clip, pause)])


def test_a_bilingual_recording_is_written_down_in_both_languages(
    bilingual: np.ndarray, transcriber: CTranslate2Transcriber, speech: Path
) -> None:
    session = CaptionSession(SessionConfig(None, allowed=("en", "pt")))
    captions = finals(list(caption_recording([bilingual], session, Engine(transcriber))))
    assert [caption.language for caption in captions] == ["en", "pt"] * 3
    portuguese = [(speech / "portuguese" / f"{name}.txt").read_text(encoding="utf-8") for name in PORTUGUESE]
    said = [sentence for one in portuguese for sentence in (SENTENCE, one)]
    misheard = [(one, heard.text) for one, heard in zip(said, captions, strict=True) if not is_heard(one, heard.text)]
    assert misheard == []


def test_a_recording_in_another_language_than_the_one_set_raises_a_doubt(
    bilingual: np.ndarray, transcriber: CTranslate2Transcriber
) -> None:
    events = list(caption_recording([bilingual], CaptionSession(SessionConfig("en")), Engine(transcriber)))
    heard = [event for event in events if isinstance(event, LanguageHeard)]
    assert [event.segment for event in heard] == [caption.segment for caption in finals(events)]
    assert [event.language for event in heard] == ["en", "pt"] * 3
    doubt = LanguageMismatch("en")
    for event in heard[1::2]:
        doubt.take(event)
    assert doubt.language == "pt"
