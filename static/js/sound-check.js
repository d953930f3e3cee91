/** Listens before the meeting, to show the level alone: nothing is sent or kept. */
import { Capture } from "./capture.js";
import { peakDb, SilenceWatch } from "./level.js";
import { openSound } from "./microphone.js";

/** Nobody is listened to for longer without having started. */
const LONGEST_MS = 60_000;

/** Events: "level" (detail: dB); "silent" (detail: whether nothing was heard for 10 s); "change" when it begins or ends. */
export class SoundCheck extends EventTarget {
  /** @type {?Capture} */
  #capture = null;
  #attempts = 0;
  #timer = null;

  constructor(workletUrl) {
    super();
    this.workletUrl = workletUrl;
  }

  get isOn() {
    return this.#capture !== null;
  }

  /** Rejects with SoundError. @param {string} source a device id, "" for the system's choice @param {string} preset */
  async start(source, preset) {
    await this.stop();
    const attempt = (this.#attempts += 1);
    const capture = await Capture.open(await openSound(source, preset), this.workletUrl);
    if (attempt !== this.#attempts) {
      await capture.stop();
      return;
    }
    this.#capture = capture;
    this.#timer = setTimeout(() => this.stop(), LONGEST_MS);
    const silence = new SilenceWatch();
    capture.addEventListener("frame", ({ detail }) => this.#heard(peakDb(detail), silence));
    capture.addEventListener("dead", () => this.stop());
    this.#tell("change");
  }

  async stop() {
    this.#attempts += 1;
    clearTimeout(this.#timer);
    const capture = this.#capture;
    if (capture === null) return;
    this.#capture = null;
    await capture.stop();
    this.#tell("change");
  }

  #heard(db, silence) {
    if (!this.isOn) return;
    this.#tell("level", db);
    this.#tell("silent", silence.hears(db));
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
