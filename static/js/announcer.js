/**
 * Reads finals to a screen reader, when asked to: growing text would be said again with every word. A name and a
 * translation come a moment after the text, so a caption waits for them a little; what is said cannot be taken back.
 */
import { wording } from "./captions.js";
import { directionOf } from "./languages.js";
import { speakerOf } from "./speakers.js";

/** Old entries are said already; the log must not grow for hours. */
const KEPT = 30;
const PATIENCE_MS = 4_000;
const SETTLE_MS = 300;

export class Announcer {
  /** @param {HTMLElement} log an element with role="log" @param {import("./speakers.js").SpeakerDirectory} speakers */
  constructor(log, speakers) {
    this.log = log;
    this.speakers = speakers;
    this.isOn = false;
    this.reading = "";
    this.lastSpeaker = null;
    this.timer = 0;
    /** Captions that are not said yet, in order, each with the time until which it may wait. */
    this.waiting = [];
  }

  turn(isOn) {
    this.isOn = isOn;
    this.log.setAttribute("aria-live", isOn ? "polite" : "off");
    if (isOn) return;
    this.waiting = [];
    this.log.replaceChildren();
  }

  /** A caption that is new. */
  say(caption) {
    // A part that a revision split off is said with the caption that it was, or was said with it.
    if (!this.isOn || isPart(caption)) return;
    const now = performance.now();
    this.waiting.push({ caption, changedAt: now, until: now + PATIENCE_MS });
    this.#flush();
  }

  /** Any change of a caption: only what still waits can follow it. */
  revise(caption) {
    const entry = this.waiting.find((each) => each.caption.segment === caption.segment);
    if (entry) Object.assign(entry, { caption, changedAt: performance.now() });
    else if (isPart(caption)) this.#insert(caption);
    this.#flush();
  }

  #insert(caption) {
    const last = this.waiting.findLastIndex((entry) => utteranceOf(entry.caption) === utteranceOf(caption));
    if (last >= 0) this.waiting.splice(last + 1, 0, { ...this.waiting[last], caption });
  }

  #flush() {
    clearTimeout(this.timer);
    while (this.waiting.length > 0 && this.#dueAt(this.waiting[0]) <= performance.now()) this.#announce(this.waiting.shift().caption);
    if (this.waiting.length === 0) return;
    this.timer = setTimeout(() => this.#flush(), this.#dueAt(this.waiting[0]) - performance.now());
  }

  /** Soon after name and translation are there: the parts of a caption that is split come one after another. */
  #dueAt({ caption, changedAt, until }) {
    const isNamed = this.speakers.listed.length === 0 || speakerOf(caption) !== null;
    const isComplete = isNamed && !wording(caption, this.reading).isPending;
    return isComplete ? Math.min(until, changedAt + SETTLE_MS) : until;
  }

  #announce(caption) {
    const { text, language } = wording(caption, this.reading);
    if (text === "") return;
    const line = document.createElement("p");
    line.dir = directionOf(language);
    const name = this.#nameIfOther(speakerOf(caption));
    if (name !== null) line.append(`${name}: `);
    line.append(spoken(text, language));
    this.log.append(line);
    while (this.log.childElementCount > KEPT) this.log.firstElementChild.remove();
  }

  #nameIfOther(speaker) {
    if (speaker === null || speaker === this.lastSpeaker) return null;
    this.lastSpeaker = speaker;
    return this.speakers.displayName(speaker);
  }
}

function spoken(text, language) {
  const span = document.createElement("span");
  span.lang = language;
  span.textContent = text;
  return span;
}

function utteranceOf({ segment }) {
  return segment.split(".")[0];
}

function isPart({ segment }) {
  return segment.includes(".");
}
