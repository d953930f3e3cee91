"""What the real Whisper base does through CTranslate2 alone; what both libraries must do: `test_recognition`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from inference.audio import SAMPLE_RATE, decode_file
from inference.speech.asr import DecodeRequest
from inference.speech.whisper import CTranslate2Transcriber


def test_vocabulary_settles_a_word(whisper_base: Path, speech: Path) -> None:
    reading = np.concatenate(list(decode_file(speech / "lobster_24s.flac")))
    transcriber = CTranslate2Transcriber(whisper_base)
    said = DecodeRequest(kind="final", start=0, audio=reading[round(14.9 * SAMPLE_RATE) :], language="en")
    (without,) = transcriber.transcribe([said])
    (heard,) = transcriber.transcribe([replace(said, vocabulary=("eunuch",))])
    assert "eunuch" in heard.text.lower()
    assert heard.mean_log_probability != without.mean_log_probability, "a processor may hear the word by itself"
