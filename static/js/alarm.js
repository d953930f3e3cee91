/** Tells the host loudly that no sound arrives: a banner that assistive technology announces at once, and a tone. */
import { gettext } from "./i18n.js";

const SENTENCES = {
  ended: gettext("The microphone stopped. Captions stand still until you start it again."),
  muted: gettext("The microphone is muted by the system or its own switch: nothing is captioned."),
  stalled: gettext("No sound arrives from the microphone."),
  broken: gettext("The page's sound processing failed. Reload the page: what was captured is kept."),
  silent: gettext("Nothing was heard for 10 seconds. Is the right microphone chosen, and is it on?"),
  storage: gettext("The browser's storage is full: unsaved sound is kept in memory only. Do not close this page."),
  sealed: gettext(
    "Unsaved sound of an earlier page does not open: the server has another key. Do not close this page.",
  ),
  lost: gettext("Some sound could not be kept and is missing from the captions; see the figures."),
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
