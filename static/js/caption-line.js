/** One caption on the page: what is read, the original beside a translation, a tag where the translation is not there. */
import { wording } from "./captions.js";
import { directionOf } from "./languages.js";

export class CaptionLine {
  constructor(caption, reading) {
    this.element = document.createElement("span");
    this.element.className = "caption";
    this.element.dataset.segment = caption.segment;
    this.final = textSpan("final");
    this.show(caption, reading);
  }

  /** Rewrites in place. @param {string} reading language that is read; empty: as spoken */
  show(caption, reading) {
    const { text, language, isTranslation, isPending } = wording(caption, reading);
    write(this.final, text, language);
    this.final.dataset.pending = String(isPending);
    const beside = [];
    if (isTranslation) beside.push(" ", write(textSpan("original"), caption.text, caption.language));
    if (isPending) beside.push(" ", languageTag(language));
    this.element.replaceChildren(this.final, ...beside);
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
