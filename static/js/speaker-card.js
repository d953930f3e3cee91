/** The host's list of speakers: names them, joins two that are one person, and says how many there are. */
import { offer } from "./folds.js";
import { gettext } from "./i18n.js";
import { speakerOf } from "./speakers.js";

export class SpeakerCard {
  /**
   * @param {HTMLElement} card holds the data-speaker-… elements of templates/meetings/_speakers.html
   * @param {import("./feed.js").CaptionFeed} feed @param {import("./corrections.js").Corrections} corrections
   */
  constructor(card, feed, corrections) {
    this.speakers = feed.speakers;
    this.corrections = corrections;
    for (const name of ["list", "row", "count", "none", "total"]) this[name] = card.querySelector(`[data-speaker-${name}]`);
    /** Elements by speaker. */
    this.rows = new Map();
    this.speakers.addEventListener("change", () => this.#draw());
    feed.addEventListener("caption", ({ detail }) => this.#heard(detail));
    corrections.addEventListener("refused", () => this.#draw());
    this.count.addEventListener("change", () => this.#expect());
  }

  #draw() {
    const { listed } = this.speakers;
    if (listed.length > 0 && this.rows.size === 0) offer(this.list);
    this.none.hidden = listed.length > 0;
    this.total.textContent = listed.length || "";
    for (const [id, { element }] of this.rows) {
      if (listed.some((speaker) => speaker.id === id)) continue;
      element.remove();
      this.rows.delete(id);
    }
    for (const { id } of listed) {
      if (!this.rows.has(id)) this.rows.set(id, this.#newRow(id));
      // Appended again, it moves: the order is that of the numbers. One that is written in stays where it is.
      const { element } = this.rows.get(id);
      if (!element.contains(document.activeElement)) this.list.append(element);
    }
    for (const speaker of listed) this.#fill(speaker, listed);
  }

  #newRow(id) {
    const element = this.row.content.cloneNode(true).firstElementChild;
    const [input, select, line] = ["input", "select", "[data-speaker-line]"].map((each) => element.querySelector(each));
    input.addEventListener("change", () => this.#rename(id, input));
    select.addEventListener("change", () => this.#merge(id, select));
    return { element, input, select, line };
  }

  #fill({ id, name }, listed) {
    const { element, input, select } = this.rows.get(id);
    const shown = this.speakers.displayName(id);
    element.dataset.color = this.speakers.colorIndex(id);
    input.setAttribute("aria-label", gettext("Name of {speaker}", { speaker: shown }));
    input.placeholder = this.speakers.numberedName(id);
    if (document.activeElement !== input) input.value = name ?? "";
    const others = listed.filter((other) => other.id !== id).map((other) => new Option(this.speakers.displayName(other.id), other.id));
    select.hidden = others.length === 0;
    select.setAttribute("aria-label", gettext("{speaker} is the same person as", { speaker: shown }));
    select.replaceChildren(new Option(gettext("Same person as…"), ""), ...others);
  }

  /** The last line of each helps to tell who is who. */
  #heard(caption) {
    const row = this.rows.get(speakerOf(caption));
    if (row === undefined || caption.text === "") return;
    row.line.textContent = caption.text;
    row.line.lang = caption.language;
  }

  #rename(speaker, input) {
    input.value = input.value.trim();
    this.corrections.send({ type: "rename_speaker", speaker, name: input.value });
  }

  #merge(speaker, select) {
    const into = select.value;
    select.value = "";
    const names = { one: this.speakers.displayName(speaker), other: this.speakers.displayName(into) };
    const question = gettext("Are {one} and {other} the same person? They become one; this cannot be undone.", names);
    if (into && window.confirm(question)) this.corrections.send({ type: "merge_speakers", speaker, into });
  }

  #expect() {
    if (!this.count.reportValidity()) return;
    this.corrections.send({ type: "expect_speakers", count: this.count.value === "" ? null : Number(this.count.value) });
  }
}
