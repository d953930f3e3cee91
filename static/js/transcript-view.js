/**
 * Captions as paragraphs. A paragraph ends at a pause, at another speaker, or when it is long; the rule looks
 * only at captions in order, so who watched live, reloaded or came late sees the same paragraphs.
 */
import { wording } from "./captions.js";

/** Seconds of silence that start a paragraph. */
const PAUSE_SECONDS = 2;
/** Words after which the next caption starts a paragraph. */
const PARAGRAPH_WORDS = 60;

export class TranscriptView {
  /**
   * @param {HTMLElement} container
   * @param {import("./captions.js").CaptionStore} store
   * @param {{newest?: number}} options show only so many captions (a projector's overlay)
   */
  constructor(container, store, { newest = Infinity } = {}) {
    this.container = container;
    this.store = store;
    this.newest = newest;
    this.showPartials = true;
    this.speakerNames = new Map();
    /** Span and caption by segment. */
    this.drawn = new Map();
    this.paragraph = null;
    this.partialNodes = [];
  }

  /** @param {ReturnType<import("./captions.js").CaptionStore["applyCaption"]>} change what happened to `caption` */
  update(change, caption) {
    if (change === "known") return;
    this.#clearPartial();
    if (change === "changed") this.#rewrite(caption);
    else if (change === "appended" && this.store.ordered.length <= this.newest) this.#append(caption);
    else this.rebuild();
    this.drawPartial();
  }

  /** Draws everything anew: needed when something moved, rare enough to be simple. */
  rebuild() {
    this.container.replaceChildren();
    this.drawn.clear();
    this.paragraph = null;
    for (const caption of this.store.ordered.slice(-this.newest)) this.#append(caption);
  }

  /** Draws the moving text where its final will stand. */
  drawPartial() {
    this.#clearPartial();
    if (!this.showPartials) return;
    let place = this.paragraph;
    for (const partial of this.store.moving) {
      if (startsParagraph(place, partial)) {
        place = this.#newParagraph(partial);
        this.partialNodes.push(place.element);
      }
      const nodes = [document.createTextNode(" "), captionSpan(partial.text, "partial")];
      place.element.append(...nodes);
      this.partialNodes.push(...nodes);
    }
  }

  /** @param {string} id @param {string|null} name */
  nameSpeaker(id, name) {
    this.speakerNames.set(id, name ?? id);
    for (const label of this.container.querySelectorAll("[data-speaker]")) {
      if (label.dataset.speaker === id) label.textContent = this.speakerNames.get(id);
    }
  }

  #append(caption) {
    if (startsParagraph(this.paragraph, caption)) this.paragraph = this.#newParagraph(caption);
    const { text, language } = wording(caption);
    const span = captionSpan(text, "final");
    span.lang = language;
    span.dataset.segment = caption.segment;
    this.paragraph.element.append(" ", span);
    this.paragraph.end = caption.end;
    this.paragraph.words += wordCount(caption);
    this.drawn.set(caption.segment, { span, caption });
  }

  /** In place, unless the paragraphs would be cut otherwise: a page that reloads must look the same. */
  #rewrite(caption) {
    const drawn = this.drawn.get(caption.segment);
    if (drawn === undefined) return;
    if (!cutsAlike(drawn.caption, caption)) {
      this.rebuild();
      return;
    }
    const { text, language } = wording(caption);
    if (drawn.span.textContent !== text) drawn.span.textContent = text;
    drawn.span.lang = language;
    drawn.caption = caption;
  }

  #newParagraph({ start, speaker = null }) {
    const element = document.createElement("p");
    element.dir = "auto";
    element.append(timeStamp(start));
    if (speaker !== null) element.append(this.#speakerLabel(speaker));
    this.container.append(element);
    return { element, end: start, words: 0, speaker };
  }

  #speakerLabel(id) {
    const label = document.createElement("b");
    label.dataset.speaker = id;
    label.textContent = this.speakerNames.get(id) ?? id;
    return label;
  }

  #clearPartial() {
    for (const node of this.partialNodes) node.remove();
    this.partialNodes = [];
  }
}

/** The original's, so that a translation that arrives late moves nothing. */
function wordCount(caption) {
  return caption.text.split(/\s+/).length;
}

function cutsAlike(a, b) {
  return a.end === b.end && a.speaker === b.speaker && wordCount(a) === wordCount(b);
}

function startsParagraph(paragraph, { start, speaker = null }) {
  if (paragraph === null) return true;
  const isLong = paragraph.words >= PARAGRAPH_WORDS;
  return isLong || start - paragraph.end >= PAUSE_SECONDS || speaker !== paragraph.speaker;
}

function captionSpan(text, kind) {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  return span;
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
