from __future__ import annotations

import numpy as np
import pytest

from inference.audio import SAMPLE_RATE
from inference.speech.asr import DecodeKind, DecodeRequest
from inference.speech.decoding import DecodePolicy, batch_key

POLICY = DecodePolicy(beam=1, window=8.0, padding=0.5, window_step=1.0)


@pytest.mark.parametrize(("seconds", "window"), [(0.0, 8), (7.5, 8), (7.6, 9), (11.0, 12), (29.9, 30), (40.0, 30)])
def test_window_holds_audio_and_padding_in_whole_steps(seconds: float, window: int) -> None:
    assert POLICY.frames(round(seconds * SAMPLE_RATE)) == window * 100


def test_all_that_share_a_window_may_have_texts_of_one_length() -> None:
    assert POLICY.max_tokens(SAMPLE_RATE) == POLICY.max_tokens(7 * SAMPLE_RATE) == 80


def request(seconds: float, *, kind: DecodeKind = "live", start: int = 0, language: str | None = "en") -> DecodeRequest:
    return DecodeRequest(
        kind=kind, start=start, audio=np.zeros(round(seconds * SAMPLE_RATE), np.float32), language=language
    )


def test_requests_of_one_window_share_a_batch() -> None:
    assert batch_key(request(1.0, start=5)) == batch_key(request(6.9))
    assert batch_key(request(6.5)) == batch_key(request(6.9, kind="seal"))


@pytest.mark.parametrize("other", [request(12.0), request(1.0, language="pt"), request(7.5, kind="final")])
def test_requests_that_differ_in_shape_do_not(other: DecodeRequest) -> None:
    assert batch_key(request(1.0)) != batch_key(other)


def test_a_language_to_be_detected_is_shared_with_nobody() -> None:
    assert batch_key(request(1.0, start=0, language=None)) != batch_key(request(1.0, start=1, language=None))
