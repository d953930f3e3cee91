/** Tells the host loudly that no sound arrives: a banner that assistive technology announces at once, and a tone. */
import { gettext } from "./i18n.js";

const SENTENCES = {
  ended: gettext("The microphone stopped. Looking for another one…"),
  muted: gettext("The microphone is muted by the system or its own switch: nothing is captioned."),
  stalled: gettext("No sound arrives from the microphone. Trying to start it again…"),
  suspended: gettext("The system has interrupted listening, as it does for a call or a locked screen. Trying to start again…"),
  silent: gettext("Nothing was heard for 10 seconds. Is the right microphone chosen, and is it on?"),
  storage: gettext("The browser's storage is full: unsaved sound is kept in memory only. Do not close this page."),
  sealed: gettext(
    "Unsaved sound of an earlier page does not open: the server has another key. Do not close this page.",
  ),
  unheard: gettext("Nobody is heard: the meeting goes on, and this page does not listen. Press “Start captions”."),
  lost: gettext("Some sound could not be kept and is missing from the captions; see the figures."),
};
const TONE_HZ = 880;
const TONE_SECONDS = 0.25;
const TONE_GAIN = 0.15;
const TONE_OVER_MS = 1_000;

export class Alarm {
  /** @param {HTMLElement} element role="alert" */
  constructor(element) {
    this.element = element;
    /** The sentences shown, by reason. @type {Map<string, string>} */
    this.reasons = new Map();
  }

  /** @param {string} reason one of SENTENCES, or a sentence @param {string} sentence where the reason has several */
  raise(reason, sentence = SENTENCES[reason] ?? reason) {
    const before = this.reasons.get(reason);
    if (before === sentence) return;
    this.reasons.set(reason, sentence);
    this.#show();
    if (before === undefined) this.#sound();
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
    this.element.replaceChildren(...[...this.reasons.values()].map(paragraph));
  }

  /** Hosts look at their slides, not at this page. */
  #sound() {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: TONE_HZ });
    tone.connect(new GainNode(context, { gain: TONE_GAIN })).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + TONE_SECONDS);
    // Without a sound output it never plays, and never ends.
    setTimeout(() => context.close(), TONE_OVER_MS);
  }
}

function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}
