/** One caption on the page: what is read, the original beside a translation, a tag where the translation is not there. */
import { wording } from "./captions.js";
import { directionOf } from "./languages.js";

export class CaptionLine {
  constructor(caption, reading) {
    this.element = document.createElement("span");
    this.element.className = "caption";
    this.element.dataset.segment = caption.segment;
    this.final = textSpan("final");
    this.moving = textSpan("partial");
    this.show(caption, reading);
  }

  /** Rewrites in place. @param {string} reading language that is read; empty: as spoken */
  show(caption, reading) {
    const { text, language, isTranslation, isPending, settled = text.length } = wording(caption, reading);
    write(this.final, text.slice(0, settled), language);
    this.final.dataset.pending = String(isPending);
    const beside = settled < text.length ? [write(this.moving, text.slice(settled), language)] : [];
    if (isTranslation) beside.push(" ", write(textSpan("original"), caption.text, caption.language));
    if (isPending) beside.push(" ", languageTag(language));
    const parts = [this.final, ...beside];
    // What stands already is not put there again: it would lose a selection.
    if (parts.length > 1 || this.element.childNodes.length !== 1) this.element.replaceChildren(...parts);
  }
}

/** Says that this is not yet what the reader asked for. */
function languageTag(language) {
  const tag = document.createElement("small");
  tag.className = "language-tag";
  tag.textContent = language.toUpperCase();
  return tag;
}

/** @param {string} kind its class */
export function textSpan(kind) {
  const span = document.createElement("span");
  span.className = kind;
  return span;
}

function write(span, text, language) {
  if (span.textContent !== text) span.textContent = text;
  span.lang = language;
  span.dir = directionOf(language);
  return span;
}
