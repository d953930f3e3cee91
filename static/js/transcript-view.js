/**
 * Captions as paragraphs, the name once a turn. A paragraph ends at a pause, at another speaker, where the direction of
 * writing turns, or when it is long; the rules look only at captions in order, so who watched live, reloaded or came
 * late sees the same.
 */
import { CaptionLine, textSpan } from "./caption-line.js";
import { wording } from "./captions.js";
import { gettext } from "./i18n.js";
import { directionOf, isUnspaced, spaceBetween } from "./languages.js";
import { speakerOf } from "./speakers.js";

/** Seconds of silence that start a paragraph. */
const PAUSE_SECONDS = 2;
/** Words after which the next caption starts a paragraph. */
const PARAGRAPH_WORDS = 60;
/** In a language without spaces. */
const LETTERS_A_WORD = 2;

/**
 * @typedef {object} Paragraph
 * @property {HTMLElement} element
 * @property {number} firstIndex of its first caption, in the store's order
 * @property {number} start @property {number} end @property {number} words
 * @property {string|null} speaker null while nobody has been told; what is told later starts anew
 * @property {string} direction of what is spoken
 * @property {object|null} last entry
 */

export class TranscriptView {
  /**
   * @param {HTMLElement} container
   * @param {import("./captions.js").CaptionStore} store
   * @param {import("./speakers.js").SpeakerDirectory} speakers
   * @param {{newest?: number, makeLabel?: () => HTMLElement}} options newest: show only so many captions (a
   *   projector's overlay); makeLabel: what a speaker's name is put into
   */
  constructor(container, store, speakers, { newest = Infinity, makeLabel = () => document.createElement("b") } = {}) {
    this.container = container;
    this.store = store;
    this.speakers = speakers;
    this.newest = newest;
    this.makeLabel = makeLabel;
    this.showPartials = true;
    /** Language that is read; empty: as spoken. */
    this.reading = "";
    /** Line, caption and paragraph by segment, and whether it is the paragraph's first. */
    this.drawn = new Map();
    /** @type {Paragraph[]} */
    this.paragraphs = [];
    this.partialNodes = [];
    /** Captions that begin no later than this are shown no more, in seconds. */
    this.clearedUpTo = -Infinity;
    speakers.addEventListener("change", () => this.#nameSpeakers());
  }

  /** @param {ReturnType<import("./captions.js").CaptionStore["applyCaption"]>} change what happened to `caption` */
  update(change, caption) {
    if (change === "known") return;
    this.#clearPartial();
    if (change === "appended" && this.store.ordered.length <= this.newest) this.#append(caption, this.store.ordered.length - 1);
    else if (change !== "changed" || !this.#rewrite(caption)) this.#redrawAround(caption);
    this.drawPartial();
  }

  /** Takes all text away. */
  clear() {
    this.clearedUpTo = this.store.ordered.at(-1)?.start ?? this.clearedUpTo;
    this.#clearPartial();
    this.#redraw(0, this.store.ordered.length);
  }

  /** Shows everything in another language, as far as it is here. */
  readIn(language) {
    this.reading = language;
    for (const entry of this.drawn.values()) this.#fill(entry);
  }

  /**
   * Marks captions until the first of them loses the focus, which it gets.
   * @param {string[]} segments @returns {HTMLElement[]} those of them that are shown
   */
  cite(segments) {
    for (const line of this.container.querySelectorAll("[data-cited]")) delete line.dataset.cited;
    const drawn = segments.map((segment) => this.drawn.get(segment) ?? this.drawn.get(segment.split(".")[0]));
    const lines = drawn.filter(Boolean).map(({ line }) => line.element);
    for (const line of lines) line.dataset.cited = "true";
    if (lines.length > 0) focusForNow(lines[0], () => lines.forEach((line) => delete line.dataset.cited));
    return lines;
  }

  /** Draws the moving text where its final will stand. */
  drawPartial() {
    this.#clearPartial();
    if (!this.showPartials) return;
    let place = this.paragraphs.at(-1) ?? null;
    let wasProvisional = false;
    for (const partial of this.store.moving) {
      if (startsParagraph(place, partial)) {
        place = this.#newParagraph(partial, place);
        this.partialNodes.push(place.element);
      }
      const span = textSpan("partial");
      span.dir = "auto";
      span.textContent = partial.text;
      const isProvisional = partial.provisional === true;
      const space = document.createTextNode(this.#spaceBeforePartial(place.last));
      const line = textSpan("moving");
      line.append(...(isProvisional && !wasProvisional ? [provisionalTag()] : []), span);
      wasProvisional = isProvisional;
      place.element.append(space, line);
      this.partialNodes.push(space, line);
    }
  }

  /** Moving text does not say its language: mostly the one that was spoken last. */
  #spaceBeforePartial(last) {
    return last === null ? " " : spaceBetween(this.#endLanguage(last.caption), last.caption.language);
  }

  #append(caption, index) {
    const isFirst = startsParagraph(this.paragraphs.at(-1) ?? null, caption);
    if (isFirst) this.paragraphs.push({ ...this.#newParagraph(caption, this.paragraphs.at(-1) ?? null), firstIndex: index });
    const paragraph = this.paragraphs.at(-1);
    const line = new CaptionLine(caption, this.reading);
    const entry = { line, caption, paragraph, isFirst, space: document.createTextNode(" "), before: paragraph.last, after: null };
    if (paragraph.last !== null) paragraph.last.after = entry;
    paragraph.last = entry;
    paragraph.element.append(entry.space, line.element);
    paragraph.end = caption.end;
    paragraph.words += wordCount(caption);
    this.drawn.set(caption.segment, entry);
    this.#direct(entry);
    this.#space(entry);
  }

  /** @returns {boolean} false where the paragraphs would be cut otherwise: a page that reloads must look the same */
  #rewrite(caption) {
    const entry = this.drawn.get(caption.segment);
    if (entry === undefined) return true;
    const { paragraph } = entry;
    const isLast = entry === this.paragraphs.at(-1)?.last;
    if (!cutsAlike(entry, caption, isLast)) return false;
    paragraph.words += wordCount(caption) - wordCount(entry.caption);
    if (isLast) paragraph.end = caption.end;
    entry.caption = caption;
    this.#fill(entry);
    return true;
  }

  #fill(entry) {
    entry.line.show(entry.caption, this.reading);
    this.#direct(entry);
    this.#space(entry);
    if (entry.after !== null) this.#space(entry.after);
  }

  #space({ space, before, caption }) {
    if (before !== null) space.data = spaceBetween(this.#endLanguage(before.caption), wording(caption, this.reading).language);
  }

  /** @returns {string} the language at the end of the line; none where a tag stands there */
  #endLanguage(caption) {
    const { language, isPending } = wording(caption, this.reading);
    return isPending ? "" : language;
  }

  /** A paragraph runs the way its first caption reads. */
  #direct({ caption, paragraph, isFirst }) {
    if (isFirst) paragraph.element.dir = directionOf(wording(caption, this.reading).language);
  }

  /** What is said before a change stands; from its paragraph on, or the one that it may join, all is drawn anew. */
  #redrawAround(caption) {
    const start = Math.min(caption.start, this.drawn.get(caption.segment)?.caption.start ?? Infinity);
    const before = this.paragraphs.findLastIndex((paragraph) => paragraph.start < start);
    const isWhole = this.newest < Infinity || before < 0;
    const from = isWhole ? this.#firstIndex() : this.paragraphs[before].firstIndex;
    this.#redraw(isWhole ? 0 : before, from);
  }

  /** @returns {number} of the first caption that is shown, in the store's order */
  #firstIndex() {
    const { ordered } = this.store;
    const later = ordered.findIndex(({ start }) => start > this.clearedUpTo);
    return Math.max(0, ordered.length - this.newest, later < 0 ? ordered.length : later);
  }

  #redraw(paragraphIndex, captionIndex) {
    const focused = this.paragraphs.findIndex(({ element }) => element.contains(document.activeElement));
    const gone = new Set(this.paragraphs.splice(paragraphIndex));
    for (const { element } of gone) element.remove();
    for (const [segment, { paragraph }] of this.drawn) if (gone.has(paragraph)) this.drawn.delete(segment);
    const { ordered } = this.store;
    for (let index = captionIndex; index < ordered.length; index += 1) this.#append(ordered[index], index);
    if (focused >= paragraphIndex) this.paragraphs[focused]?.element.querySelector("button")?.focus({ preventScroll: true });
  }

  #newParagraph(spoken, before) {
    const speaker = speakerOf(spoken);
    const element = document.createElement("p");
    element.dir = "auto";
    element.append(timeStamp(spoken.start));
    if (speaker !== null && speaker !== before?.speaker) element.append(" ", this.#speakerLabel(speaker));
    this.container.append(element);
    const direction = directionOf(spoken.language);
    return { element, firstIndex: -1, start: spoken.start, end: spoken.start, words: 0, speaker, direction, last: null };
  }

  #speakerLabel(id) {
    const label = this.makeLabel();
    label.classList.add("speaker");
    label.dataset.speaker = id;
    // A name has a direction of its own; what stands behind it runs with the paragraph.
    label.append(document.createElement("bdi"));
    this.#nameSpeaker(label);
    return label;
  }

  #nameSpeakers() {
    for (const label of this.container.querySelectorAll("[data-speaker]")) this.#nameSpeaker(label);
  }

  #nameSpeaker(label) {
    const name = this.speakers.displayName(label.dataset.speaker);
    if (label.textContent !== name) label.firstElementChild.textContent = name;
    label.dataset.color = this.speakers.colorIndex(label.dataset.speaker);
  }

  #clearPartial() {
    for (const node of this.partialNodes) node.remove();
    this.partialNodes = [];
  }
}

/** Before text of a smaller model: a better one writes it anew when the summary is done. */
function provisionalTag() {
  const tag = textSpan("language-tag provisional");
  tag.textContent = gettext("provisional");
  return tag;
}

/** What is no control is only in the order of the keyboard while it has the focus. */
function focusForNow(element, left) {
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
  const leave = () => {
    element.removeAttribute("tabindex");
    left();
  };
  element.addEventListener("blur", leave, { once: true });
}

/** The original's, so that a translation that arrives late moves nothing. */
function wordCount({ text, language }) {
  return isUnspaced(language) ? Math.ceil(text.length / LETTERS_A_WORD) : text.split(/\s+/).length;
}

/** Whether a revision of a drawn caption leaves every paragraph as it is. The last caption may grow. */
function cutsAlike({ caption: old, paragraph }, caption, isLast) {
  const speaker = speakerOf(caption);
  const isSpeakerAlike = speaker === speakerOf(old) || (speakerOf(old) === null && speaker === paragraph.speaker);
  const isDirectionAlike = directionOf(caption.language) === directionOf(old.language);
  const isAsLong = isLast || (caption.end === old.end && wordCount(caption) === wordCount(old));
  return isSpeakerAlike && isDirectionAlike && isAsLong;
}

/** Who is not told yet goes on in the paragraph that is there, so that nothing jumps when the name comes. */
function startsParagraph(paragraph, spoken) {
  if (paragraph === null) return true;
  const isLong = paragraph.words >= PARAGRAPH_WORDS;
  const speaker = speakerOf(spoken);
  const isOther = speaker !== null && speaker !== paragraph.speaker;
  const turns = spoken.language !== undefined && directionOf(spoken.language) !== paragraph.direction;
  return isLong || isOther || turns || spoken.start - paragraph.end >= PAUSE_SECONDS;
}

function timeStamp(seconds) {
  const time = document.createElement("time");
  time.textContent = clock(seconds);
  return time;
}

/** @returns {string} 1:02:03 or 2:03 */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : `${Number(parts[0])}:${parts[1]}`;
}
