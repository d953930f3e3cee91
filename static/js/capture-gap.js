/** How much was not captured, in seconds, by the wall clock: it goes on while a machine sleeps. */
const FRAME_MS = 100;
/** Between two microphones nothing is heard; within one, a page that is late still gets every frame. */
const LEAST_BETWEEN_MS = 200;
const LEAST_WITHIN_MS = 2_000;

export class CaptureGap {
  /** Until when everything is captured; null while nothing is to be. */
  #until = null;

  /** From now on everything is to be captured. */
  begin() {
    this.#until ??= Date.now();
  }

  /** A frame came. @param {boolean} isFirst of its microphone @returns {number} what is missing before it */
  take(isFirst) {
    if (this.#until === null) return 0;
    const missing = isFirst ? this.#since(FRAME_MS, LEAST_BETWEEN_MS) : 0;
    this.#until = Date.now();
    return missing;
  }

  /** @param {number} ms that the microphone itself was silent @returns {number} what is missing of what is to be captured */
  add(ms) {
    return this.#until === null ? 0 : seconds(Math.min(ms, Date.now() - this.#until));
  }

  /** Nothing more is to be captured. @returns {number} what is missing before now */
  end(isListening) {
    const missing = this.#until === null ? 0 : this.#since(0, isListening ? LEAST_WITHIN_MS : LEAST_BETWEEN_MS);
    this.#until = null;
    return missing;
  }

  #since(heardMs, leastMs) {
    const ms = Date.now() - heardMs - this.#until;
    return ms < leastMs ? 0 : seconds(ms);
  }
}

/** In tenths, as the ledger counts. */
function seconds(ms) {
  return Math.round(ms / FRAME_MS) / 10;
}
