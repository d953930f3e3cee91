/** The captions of one meeting as this page knows them: the present form of each segment, and the text still moving. */

export class CaptionStore {
  constructor() {
    /** Newest number seen; what a reconnect asks to continue after. */
    this.lastSeq = 0;
    /** Every segment ever seen, removed ones too, or a late copy would bring them back. */
    this.bySegment = new Map();
    /** What is to be read, by start. */
    this.ordered = [];
    /** Unstable text by segment. */
    this.partials = new Map();
  }

  /**
   * @param {object} caption the wire's caption message; an empty text takes the segment away
   * @returns {"appended"|"changed"|"removed"|"moved"|"known"} what a view has to do
   */
  applyCaption(caption) {
    this.lastSeq = Math.max(this.lastSeq, caption.seq);
    this.#settlePartials(caption);
    const before = this.bySegment.get(caption.segment);
    if (before && (before.revision > caption.revision || before.seq > caption.seq)) return "known";
    this.bySegment.set(caption.segment, caption);
    return this.#place(before, caption);
  }

  /** @returns {boolean} whether there is something new to show */
  applyPartial(partial) {
    const caption = this.bySegment.get(partial.segment);
    if (caption && !(caption.open && caption.end <= partial.start)) return false;
    if (partial.text) this.partials.set(partial.segment, partial);
    else this.partials.delete(partial.segment);
    return true;
  }

  /** From here on the server sends again: a cut meanwhile must not leave gaps. */
  rewind(seq) {
    this.lastSeq = seq;
  }

  /** After a cut the server starts the moving text anew. */
  forgetPartials() {
    this.partials.clear();
  }

  /** Unstable text in the order of speech. */
  get moving() {
    return [...this.partials.values()].sort((a, b) => a.start - b.start);
  }

  #place(before, caption) {
    const isShown = before !== undefined && before.text !== "";
    if (caption.text === "") {
      if (!isShown) return "known";
      this.ordered.splice(this.ordered.indexOf(before), 1);
      return "removed";
    }
    if (isShown && before.start === caption.start) {
      this.ordered[this.ordered.indexOf(before)] = caption;
      return "changed";
    }
    if (isShown) this.ordered.splice(this.ordered.indexOf(before), 1);
    const index = this.#indexOf(caption);
    this.ordered.splice(index, 0, caption);
    return !isShown && index === this.ordered.length - 1 ? "appended" : "moved";
  }

  /** Looks from the end: new captions are nearly always the newest. */
  #indexOf(caption) {
    let index = this.ordered.length;
    while (index > 0 && isAfter(this.ordered[index - 1], caption)) index -= 1;
    return index;
  }

  /**
   * Finals come in order, so moving text that starts no later than this final is settled by it. Beside a caption that is
   * still open, what moves begins where its words end.
   */
  #settlePartials(caption) {
    for (const [segment, partial] of this.partials) {
      const isSettled = segment === caption.segment && !(caption.open && caption.end <= partial.start);
      if (isSettled || partial.start <= caption.start) this.partials.delete(segment);
    }
  }
}

function isAfter(a, b) {
  return a.start > b.start || (a.start === b.start && a.segment > b.segment);
}

/**
 * What the reader reads of a caption.
 * @param {string} reading language that is read; empty: as spoken
 * @returns {{text: string, language: string, isTranslation: boolean, isPending: boolean, settled?: number}} pending: the
 *   original stands where a translation is still to come; settled: letters of a translation that change no more, while
 *   the caption is open
 */
export function wording({ text, language = "", translation = null }, reading) {
  if (reading === "" || language === reading) return { text, language, isTranslation: false, isPending: false };
  if (translation?.language === reading) return { ...translation, isTranslation: true, isPending: false };
  return { text, language, isTranslation: false, isPending: language !== "" };
}
