/**
 * The audio thread: mixes to mono, brings the sound to 16 kHz and posts frames of 100 ms as Int16Array.
 * A message "flush" posts what is left, filled up with silence, and answers "flushed". After a time without sound, as
 * when the machine slept or the system interrupted it, {gapMs} goes before the next frame.
 */
import { Downmix } from "./downmix.js";
import { Resampler } from "./resampler.js";

const OUTPUT_RATE = 16_000;
/** 100 ms, the contract's frame. */
const FRAME_SAMPLES = 1_600;
const FRAME_MS = 100;
const FULL_SCALE = 32_767;
/** A thread that is late by less makes up for it. */
const LEAST_GAP_MS = 2_000;

class PcmProcessor extends AudioWorkletProcessor {
  constructor() {
    super();
    this.downmix = new Downmix(sampleRate);
    this.resampler = new Resampler(sampleRate, OUTPUT_RATE);
    this.frame = new Int16Array(FRAME_SAMPLES);
    this.filled = 0;
    this.postedAt = Date.now();
    // Bound once: process() must not allocate, or the collector is heard as a gap.
    this.emit = (sample) => this.#append(sample);
    this.port.onmessage = () => this.#flush();
  }

  process([channels]) {
    const length = channels.length > 0 ? channels[0].length : 0;
    for (let i = 0; i < length; i += 1) this.resampler.push(this.downmix.mix(channels, i), this.emit);
    return true;
  }

  #append(sample) {
    this.frame[this.filled] = Math.round(Math.max(-1, Math.min(1, sample)) * FULL_SCALE);
    this.filled += 1;
    if (this.filled === FRAME_SAMPLES) this.#post();
  }

  /** The frame is copied while it is posted, so one array serves for all. */
  #post() {
    const now = Date.now();
    const gapMs = now - this.postedAt - FRAME_MS;
    this.postedAt = now;
    if (gapMs >= LEAST_GAP_MS) this.port.postMessage({ gapMs });
    this.port.postMessage(this.frame);
    this.filled = 0;
  }

  #flush() {
    if (this.filled > 0) {
      this.frame.fill(0, this.filled);
      this.#post();
    }
    this.port.postMessage("flushed");
  }
}

registerProcessor("pcm", PcmProcessor);
