/** Tells the host loudly that no sound arrives: a banner that assistive technology announces at once, and a tone. */

const SENTENCES = {
  ended: "The microphone stopped. Captions stand still until you start it again.",
  muted: "The microphone is muted by the system or its own switch: nothing is captioned.",
  stalled: "No sound arrives from the microphone.",
  broken: "The page's sound processing failed. Reload the page: what was captured is kept.",
  silent: "Nothing was heard for 10 seconds. Is the right microphone chosen, and is it on?",
  storage: "The browser's storage is full: unsaved sound is kept in memory only. Do not close this page.",
  lost: "Some sound could not be kept and is missing from the captions; see the figures.",
};
const TONE_HZ = 880;
const TONE_SECONDS = 0.25;
const TONE_GAIN = 0.15;

export class Alarm {
  /** @param {HTMLElement} element role="alert" */
  constructor(element) {
    this.element = element;
    this.reasons = new Set();
  }

  raise(reason) {
    if (this.reasons.has(reason)) return;
    this.reasons.add(reason);
    this.#show();
    this.#sound();
  }

  clear(reason) {
    if (this.reasons.delete(reason)) this.#show();
  }

  clearAll() {
    this.reasons.clear();
    this.#show();
  }

  #show() {
    this.element.hidden = this.reasons.size === 0;
    this.element.replaceChildren(...[...this.reasons].map((reason) => paragraph(SENTENCES[reason] ?? reason)));
  }

  /** Hosts look at their slides, not at this page. */
  #sound() {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: TONE_HZ });
    tone.connect(new GainNode(context, { gain: TONE_GAIN })).connect(context.destination);
    tone.onended = () => context.close();
    tone.start();
    tone.stop(context.currentTime + TONE_SECONDS);
  }
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}
