/**
 * Reads finals to a screen reader, when asked to: growing text would be said again with every word. A name and a
 * translation come a moment after the text, so a caption waits for them a little; what is said cannot be taken back. Of a
 * caption that is still open, whole clauses are read.
 */
import { wording } from "./captions.js";
import { directionOf } from "./languages.js";
import { speakerOf } from "./speakers.js";

/** Old entries are said already; the log must not grow for hours. */
const KEPT = 30;
const PATIENCE_MS = 4_000;
const SETTLE_MS = 300;
/** Where a listener can wait for more; a clause without an end is read in pieces of so many letters. */
const CLAUSE_END = /[.!?…,;:](?=\s|$)|[。！？，、；：]/gu;
const LONG_CLAUSE = 80;

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
    /** What was read of an open caption: its utterance, and how many letters. */
    this.begun = { utterance: "", letters: 0 };
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
    const now = performance.now();
    if (entry?.caption.open) Object.assign(entry, { caption, changedAt: now, until: now + PATIENCE_MS });
    else if (entry) Object.assign(entry, { caption, changedAt: now });
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
    if (this.waiting[0].caption.open) {
      this.#announceClauses(this.waiting[0].caption);
      return;
    }
    this.timer = setTimeout(() => this.#flush(), this.#dueAt(this.waiting[0]) - performance.now());
  }

  /** Soon after name and translation are there: the parts of a caption that is split come one after another. */
  #dueAt({ caption, changedAt, until }) {
    if (caption.open) return Infinity;
    const isNamed = this.speakers.listed.length === 0 || speakerOf(caption) !== null;
    const isComplete = isNamed && !wording(caption, this.reading).isPending;
    return isComplete ? Math.min(until, changedAt + SETTLE_MS) : until;
  }

  #announce(caption) {
    const { text, language } = wording(caption, this.reading);
    this.#append(caption, this.#unread(caption, text), language);
  }

  /** The clauses of an open caption that are complete; in a translation, those that change no more. */
  #announceClauses(caption) {
    const { text, language, isPending, settled = text.length } = wording(caption, this.reading);
    const rest = this.#unread(caption, text.slice(0, settled));
    const ends = [...rest.matchAll(CLAUSE_END)].map(({ index }) => index + 1);
    const end = ends.at(-1) ?? (rest.length >= LONG_CLAUSE ? rest.length : 0);
    if (isPending || end === 0) return;
    const utterance = utteranceOf(caption);
    const before = this.begun.utterance === utterance ? this.begun.letters : 0;
    this.begun = { utterance, letters: before + letters(rest.slice(0, end)) };
    this.#append(caption, rest.slice(0, end), language);
  }

  /** What was not read yet. A part that was split off begins where the caption that it was a part of goes on. */
  #unread(caption, text) {
    if (this.begun.utterance !== utteranceOf(caption)) return text;
    let place = 0;
    let left = this.begun.letters;
    if (!caption.open) this.begun.letters -= Math.min(left, letters(text));
    for (; left > 0 && place < text.length; place += 1) if (text[place].trim() !== "") left -= 1;
    return text.slice(place).trimStart();
  }

  #append(caption, text, language) {
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

function letters(text) {
  return text.replace(/\s/gu, "").length;
}

function utteranceOf({ segment }) {
  return segment.split(".")[0];
}

function isPart({ segment }) {
  return segment.includes(".");
}
