"""The audio thread's arithmetic, in the real audio thread."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

RATE = 16_000
FRAME = 1_600
SECONDS = 2
AMPLITUDE = 0.5
SETTLED = 3 * FRAME
"""Samples after which the filter knows nothing but the tone."""

RENDER = """async ([rate, hertz, seconds, amplitude]) => {
    const context = new OfflineAudioContext(1, rate * seconds, rate);
    await context.audioWorklet.addModule("/static/js/pcm-worklet.js");
    const tone = new OscillatorNode(context, { frequency: hertz });
    const node = new AudioWorkletNode(context, "pcm");
    const frames = [];
    const flushed = new Promise((resolve) => {
        node.port.onmessage = ({ data }) => (data === "flushed" ? resolve() : frames.push(Array.from(data)));
    });
    tone.connect(new GainNode(context, { gain: amplitude })).connect(node).connect(context.destination);
    tone.start();
    await context.startRendering();
    node.port.postMessage("flush");
    await flushed;
    return frames;
}"""

PUSH = """async ([input, output, samples]) => {
    const { Resampler } = await import("/static/js/resampler.js");
    const resampler = new Resampler(input, output);
    const result = [];
    for (const sample of samples) resampler.push(sample, (value) => result.push(value));
    return result;
}"""


def rendered(page: Page, *, rate: int, hertz: float) -> NDArray[np.float64]:
    """The tone as the worklet posts it, full scale 1."""
    frames = page.evaluate(RENDER, [rate, hertz, SECONDS, AMPLITUDE])
    # Rendering goes on to the end of a block of 128 samples, which may begin one frame more.
    assert {len(frame) for frame in frames} == {FRAME}
    assert len(frames) - SECONDS * 10 in (0, 1)
    return np.concatenate(frames[: SECONDS * 10]) / 32_767


def level_db(signal: NDArray[np.float64]) -> float:
    """Relative to the tone that was put in."""
    return float(20 * np.log10(np.sqrt(np.mean(signal**2)) / (AMPLITUDE / np.sqrt(2)) + 1e-12))


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_tone_of_1_khz_stays_one_unbroken_tone(page: Page, rate: int) -> None:
    signal = rendered(page, rate=rate, hertz=1_000)[SETTLED:]
    time = np.arange(len(signal)) / RATE
    parts = np.stack([np.sin(2 * np.pi * 1_000 * time), np.cos(2 * np.pi * 1_000 * time)], axis=1)
    weights, *_ = np.linalg.lstsq(parts, signal, rcond=None)
    assert level_db(parts @ weights) == pytest.approx(0, abs=0.05)
    # One sine over the whole signal: a lost, doubled or misplaced sample would leave more than this.
    assert level_db(signal - parts @ weights) < -60


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_tone_that_would_fold_back_is_gone(page: Page, rate: int) -> None:
    assert level_db(rendered(page, rate=rate, hertz=10_000)[SETTLED:]) < -65


def test_speech_band_is_kept(page: Page) -> None:
    levels = [level_db(rendered(page, rate=48_000, hertz=hertz)[SETTLED:]) for hertz in (100, 3_000, 6_700)]
    assert levels == pytest.approx([0, 0, 0], abs=0.1)


@pytest.mark.parametrize(("rate", "count"), [(8_000, 16_000), (11_025, 16_000), (22_050, 16_000), (96_000, 16_000)])
def test_every_rate_gives_16000_samples_a_second(page: Page, rate: int, count: int) -> None:
    assert len(page.evaluate(PUSH, [rate, RATE, [0.25] * rate])) == count


def test_equal_rates_pass_samples_through(page: Page) -> None:
    samples = [0.0, 0.5, -1.0, 0.25]
    assert page.evaluate(PUSH, [RATE, RATE, samples]) == samples


def test_a_constant_stays_itself(page: Page) -> None:
    result = page.evaluate(PUSH, [44_100, RATE, [0.25] * 4_410])
    assert result[len(result) // 2 :] == pytest.approx([0.25] * (len(result) - len(result) // 2), abs=1e-6)
