/** Keeps a microphone listening: the one that the host chose or, where it fails, another one by itself. */
import { Capture } from "./capture.js";
import { gettext } from "./i18n.js";
import { ZeroWatch } from "./level.js";
import { isAllowed, microphones, openSound, SoundError, SuspendedError, TAB } from "./microphone.js";

const WANTS_TAP = gettext("The browser listens again only after a tap: press “Start again”.");
const TAB_IS_OVER = gettext("The tab's sound is no longer shared. Choose where the sound comes from, then start again.");
const NO_SOUND = gettext("No sound arrives from the microphone. Choose another one, or start again.");
/** What another program withholds, or a permission, comes back without a word. */
const LOOK_AGAIN_MS = 5_000;
/** A capture that died before so many frames would die again at once. */
const FEW_FRAMES = 10;
const TROUBLES = ["muted", "stalled", "suspended"];

/**
 * Events: "frame" (detail: {pcm, isFirst}, of its microphone); "gap", "trouble" and "relief" as of `Capture`; "lost"
 * when nothing is heard any more and another microphone is looked for; "stopped" (detail: a sentence) when none is found,
 * until one is; "found" (detail: the name of the microphone).
 */
export class SoundKeeper extends EventTarget {
  constructor(workletUrl) {
    super();
    this.workletUrl = workletUrl;
    /** The host's choice; null: nothing is to be listened to. @type {?{source: string, preset: string}} */
    this.wanted = null;
    /** What is listened to: a device id, "" for the system's choice, or TAB. */
    this.source = "";
    /** @type {?Capture} */
    this.capture = null;
    this.attempts = 0;
    this.isOpening = false;
    this.isLooking = false;
    /** Ids of the microphones that there were at the last look. */
    this.present = new Set();
    /** Microphones that gave nothing but zeros since anything was heard. */
    this.silent = new Set();
    setInterval(() => this.#lookIfAllowed(), LOOK_AGAIN_MS);
    // Who comes back to the page may be asked.
    document.addEventListener("visibilitychange", () => document.hidden || (this.#isWanting && this.#lookAround()));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#devicesChanged());
  }

  get isListening() {
    return this.capture !== null;
  }

  /** There should be sound, there is none, and the host is not choosing just now. */
  get #isWanting() {
    return this.wanted !== null && this.capture === null && !this.isOpening;
  }

  /**
   * Listens to what the host chose from now on; what was listened to before goes on until then.
   * @returns {Promise<boolean>} false: something else was asked for meanwhile. Rejects with SoundError.
   */
  async open(source, preset) {
    this.isOpening = true;
    try {
      if (!(await this.#attempt(source, preset))) return false;
      this.wanted = { source, preset };
      this.silent.clear();
      return true;
    } finally {
      this.isOpening = false;
    }
  }

  /** Stops listening and looking; resolves when the last frame was told. */
  async stop() {
    this.attempts += 1;
    this.wanted = null;
    const { capture } = this;
    this.capture = null;
    await capture?.stop();
  }

  /** What was plugged in may be what is missing, and what the host chose is taken again when it comes back. */
  async #devicesChanged() {
    const before = this.present;
    await this.#listPresent();
    if (this.#isWanting) await this.#lookAround();
    else if (this.wanted !== null && !this.isOpening && this.#isBack(before)) await this.#look([this.wanted.source]);
  }

  #isBack(before) {
    const { source } = this.wanted;
    return this.source !== source && this.present.has(source) && !before.has(source);
  }

  async #listPresent() {
    this.present = new Set((await microphones()).map(({ deviceId }) => deviceId));
  }

  async #attempt(source, preset) {
    const attempt = (this.attempts += 1);
    const stream = await openSound(source, preset);
    const capture = await Capture.open(stream, this.workletUrl);
    if (attempt !== this.attempts) {
      await capture.stop();
      return false;
    }
    const before = this.capture;
    this.#take(capture, source);
    await before?.stop();
    return true;
  }

  #take(capture, source) {
    this.capture = capture;
    this.source = source;
    const zeros = new ZeroWatch();
    const ifCurrent = (act) => (event) => this.capture === capture && act(event.detail);
    capture.addEventListener("frame", ({ detail: pcm }) => this.#tell("frame", { pcm, isFirst: capture.frameCount === 1 }));
    capture.addEventListener("frame", ifCurrent((pcm) => this.#mindZeros(zeros, pcm)));
    for (const type of ["gap", "trouble", "relief"]) {
      capture.addEventListener(type, ifCurrent((detail) => this.#tell(type, detail)));
    }
    capture.addEventListener("dead", ifCurrent(() => this.#lost()));
    for (const reason of TROUBLES) this.#tell("relief", reason);
    this.#listPresent();
  }

  #lost() {
    const { capture } = this;
    this.capture = null;
    capture.stop();
    for (const reason of TROUBLES) this.#tell("relief", reason);
    this.#tell("lost");
    if (!this.#isWanting) return;
    if (capture.frameCount < FEW_FRAMES) this.#tell("stopped", NO_SOUND);
    else this.#lookAround();
  }

  async #lookIfAllowed() {
    if (!this.#isWanting || this.wanted.source === TAB) return;
    // A browser that asks the host each time is not to ask every few seconds.
    if (await isAllowed()) await this.#lookAround();
  }

  async #lookAround() {
    if (this.wanted.source === TAB) this.#tell("stopped", TAB_IS_OVER);
    else await this.#look(await this.#candidates());
  }

  /** What to listen to, best first. */
  async #candidates() {
    await this.#listPresent();
    return [...new Set([this.wanted.source, ...this.present, ""])];
  }

  /** Takes the first source that can be had. What is listened to now goes on until then. */
  async #look(sources) {
    if (this.isLooking || this.wanted === null) return;
    this.isLooking = true;
    try {
      const trouble = await this.#firstOf(sources, this.wanted.preset);
      if (trouble !== null && this.#isWanting) this.#tell("stopped", trouble);
    } finally {
      this.isLooking = false;
    }
  }

  /** @returns {Promise<string|null>} why there is none; null: there is one, or nothing is looked for any more */
  async #firstOf(sources, preset) {
    let trouble = null;
    for (const source of sources) {
      try {
        if (await this.#attempt(source, preset)) this.#tell("found", this.capture?.track.label ?? "");
        return null;
      } catch (error) {
        if (!(error instanceof SoundError)) throw error;
        trouble = error instanceof SuspendedError ? WANTS_TAP : error.message;
        if (!error.isOfDevice || this.wanted === null || this.isOpening) break;
      }
    }
    return trouble;
  }

  /**
   * A source that died without a word gives zeros for ever. A microphone that was heard before may have been silenced
   * by its own switch: no other one is opened behind the host's back then (docs/decisions).
   */
  async #mindZeros(zeros, pcm) {
    const { capture, source } = this;
    const isDead = zeros.take(pcm);
    if (!zeros.isZero) {
      this.silent.clear();
      capture.isDisturbed = false;
    }
    if (!isDead || capture.track.muted || source === TAB || this.isOpening || this.wanted === null) return;
    if (capture.isDisturbed) await this.#look([source]);
    else if (!zeros.hasSounded) {
      this.silent.add(source);
      await this.#look((await this.#candidates()).filter((other) => !this.silent.has(other)));
    }
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
