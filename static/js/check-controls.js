/** The button that tests the microphone before the meeting, and what there is to do where nothing is heard. */
import { gettext } from "./i18n.js";
import { canShareTab, SoundError } from "./microphone.js";

const TEST = gettext("Test microphone");
const STOP = gettext("Stop the test");
const ASKING = gettext("The browser may ask whether this page may listen: answer it there.");
const SPEAK = gettext("Speak: the bar moves if the microphone hears you. Nothing is sent or kept.");
const SILENT = gettext("Nothing was heard for 10 seconds. Choose another microphone, or look whether this one is switched on.");
const OR_TAB = gettext("Or choose “Sound of a browser tab”.");
const NOT_LISTENING = gettext("Not listening.");

export class CheckControls {
  /**
   * @param {HTMLElement} page @param {import("./sound-check.js").SoundCheck} check
   * @param {import("./level.js").LevelMeter} meter @param {() => [string, string]} choice source and preset
   */
  constructor(page, check, meter, choice) {
    [this.button, this.answer, this.device] = ["check", "check-answer", "device"].map((name) => page.querySelector(`[data-${name}]`));
    this.check = check;
    this.meter = meter;
    this.choice = choice;
    this.button.addEventListener("click", () => (check.isOn ? check.stop() : this.#start()));
    check.addEventListener("change", () => this.#show());
    check.addEventListener("level", ({ detail }) => meter.show(detail));
    check.addEventListener("silent", ({ detail }) => this.#say(detail ? SILENT : SPEAK));
  }

  /** There is a microphone to test, and nothing else listens. */
  offer(isOffered) {
    this.button.hidden = !isOffered;
    if (!isOffered) this.stop();
  }

  /** Another microphone is tested instead of the one that is. */
  chose() {
    mark(this.device, false);
    if (this.check.isOn) this.#start();
    else this.#say("");
  }

  async stop() {
    this.#say("");
    await this.check.stop();
  }

  async #start() {
    mark(this.device, false);
    this.#say(ASKING);
    try {
      await this.check.start(...this.choice());
    } catch (error) {
      if (!(error instanceof SoundError)) throw error;
      mark(this.device, error.isOfDevice);
      this.#say(error.isOfDevice && canShareTab() ? `${error.message} ${OR_TAB}` : error.message);
    }
  }

  #show() {
    const { isOn } = this.check;
    this.button.textContent = isOn ? STOP : TEST;
    this.#say(isOn ? SPEAK : "");
    if (!isOn) this.meter.reset(NOT_LISTENING);
  }

  #say(words) {
    if (this.answer.textContent !== words) this.answer.textContent = words;
  }
}

/** Shows which field a sentence is about. @param {HTMLSelectElement} device @param {boolean} isWrong */
export function mark(device, isWrong) {
  if (isWrong) device.setAttribute("aria-invalid", "true");
  else device.removeAttribute("aria-invalid");
}
