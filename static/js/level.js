/** The level meter, and the watch for silence. Levels in dB below full scale. */
import { gettext } from "./i18n.js";

const WORDS = {
  loud: gettext("too loud"),
  good: gettext("good"),
  quiet: gettext("quiet"),
  silent: gettext("no sound"),
};
const FLOOR_DB = -60;
const FULL_SCALE = 32_768;
/** Peaks above this are near clipping. */
const LOUD_DB = -0.5;
const QUIET_DB = -45;
/** A microphone that works hears the room; below this for so long it is off, or somebody pressed its switch. */
const SILENCE_DB = -60;
const SILENCE_FRAMES = 100;
/** How much of a fall the bar shows with each frame. */
const FALL_DB = 4;

/** @param {Int16Array} pcm @returns {number} the peak, FLOOR_DB to 0 */
export function peakDb(pcm) {
  let peak = 0;
  for (const sample of pcm) peak = Math.max(peak, Math.abs(sample));
  return peak === 0 ? FLOOR_DB : Math.max(FLOOR_DB, 20 * Math.log10(peak / FULL_SCALE));
}

/** @returns {keyof typeof WORDS} */
export function levelOf(db) {
  if (db >= LOUD_DB) return "loud";
  if (db <= SILENCE_DB) return "silent";
  return db <= QUIET_DB ? "quiet" : "good";
}

export class LevelMeter {
  /** @param {HTMLElement} meter role="meter" @param {HTMLElement} bar @param {HTMLElement} text */
  constructor(meter, bar, text) {
    this.meter = meter;
    this.bar = bar;
    this.text = text;
    this.shown = FLOOR_DB;
    this.loudest = FLOOR_DB;
    this.frames = 0;
  }

  /** Falls slowly, as meters do; the words change once a second, or nobody could read them. */
  show(db) {
    this.shown = Math.max(db, this.shown - FALL_DB);
    this.bar.style.transform = `scaleX(${1 - this.shown / FLOOR_DB})`;
    this.loudest = Math.max(this.loudest, db);
    this.frames += 1;
    if (this.frames % 10 !== 1) return;
    const level = levelOf(this.loudest);
    this.loudest = FLOOR_DB;
    this.meter.dataset.level = level;
    this.meter.setAttribute("aria-valuenow", String(Math.round(this.shown)));
    this.meter.setAttribute("aria-valuetext", WORDS[level]);
    this.text.textContent = gettext("Level: {word}", { word: WORDS[level] });
  }

  reset(words) {
    this.shown = FLOOR_DB;
    this.loudest = FLOOR_DB;
    this.frames = 0;
    this.bar.style.transform = "scaleX(0)";
    this.meter.setAttribute("aria-valuetext", gettext("off"));
    this.text.textContent = words;
  }
}

export class SilenceWatch {
  #frames = 0;

  /** @param {number} db of the next frame @returns {boolean} whether it has been silent for 10 s */
  hears(db) {
    this.#frames = db <= SILENCE_DB ? this.#frames + 1 : 0;
    return this.#frames >= SILENCE_FRAMES;
  }
}

/** Tells a quiet microphone from a dead one, which gives digital zero. */
export class ZeroWatch {
  #frames = 0;
  /** Whether it ever gave anything else. */
  hasSounded = false;

  get isZero() {
    return this.#frames > 0;
  }

  /** @param {Int16Array} pcm the next frame @returns {boolean} whether all was zero for 10 s by now; told once */
  take(pcm) {
    const isZero = pcm.every((sample) => sample === 0);
    this.#frames = isZero ? this.#frames + 1 : 0;
    this.hasSounded ||= !isZero;
    return this.#frames === SILENCE_FRAMES;
  }
}
