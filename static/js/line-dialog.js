/** Lines of one paragraph, each with the speaker who said it: the host moves a line to somebody else. */
import { gettext } from "./i18n.js";
import { speakerOf } from "./speakers.js";

export class LineDialog {
  /**
   * @param {HTMLDialogElement} dialog @param {HTMLElement} container of the captions
   * @param {import("./feed.js").CaptionFeed} feed @param {import("./corrections.js").Corrections} corrections
   */
  constructor(dialog, container, feed, corrections) {
    this.dialog = dialog;
    this.list = dialog.querySelector("[data-line-list]");
    this.store = feed.store;
    this.speakers = feed.speakers;
    this.corrections = corrections;
    container.addEventListener("click", (event) => this.#clicked(event));
    dialog.addEventListener("close", () => dialog.returnValue === "save" && this.#save());
  }

  /** A name, which the keyboard reaches too, or a line itself; not where somebody marks text. */
  #clicked({ target }) {
    const line = target.closest("[data-segment]");
    const paragraph = target.closest("p");
    if (paragraph === null || !(line || target.closest("button")) || !document.getSelection().isCollapsed) return;
    if (this.speakers.listed.length === 0 || !this.corrections.isOpen) return;
    const segments = [...paragraph.querySelectorAll("[data-segment]")].map((element) => element.dataset.segment);
    this.#open(segments, line?.dataset.segment ?? segments[0]);
  }

  #open(segments, focused) {
    const captions = segments.map((segment) => this.store.bySegment.get(segment)).filter(Boolean);
    this.list.replaceChildren(...captions.map((caption) => this.#row(caption)));
    this.dialog.returnValue = "";
    this.dialog.showModal();
    [...this.list.querySelectorAll("select")].find((select) => select.name === focused)?.focus();
  }

  #row(caption) {
    const row = document.createElement("li");
    const label = document.createElement("label");
    const text = document.createElement("span");
    text.dir = "auto";
    text.lang = caption.language;
    text.textContent = caption.text;
    label.append(text, this.#choice(caption));
    row.append(label);
    return row;
  }

  #choice({ segment, ...caption }) {
    const select = document.createElement("select");
    select.name = segment;
    const speaker = speakerOf(caption);
    const names = this.speakers.listed.map(({ id }) => new Option(this.speakers.displayName(id), id));
    if (!names.some(({ value }) => value === speaker)) names.unshift(new Option(gettext("Unknown speaker"), ""));
    select.append(...names);
    select.value = names.some(({ value }) => value === speaker) ? speaker : "";
    select.dataset.before = select.value;
    return select;
  }

  #save() {
    for (const { name, value, dataset } of this.list.querySelectorAll("select")) {
      if (value !== dataset.before) this.corrections.send({ type: "assign_speaker", segment: name, speaker: value });
    }
  }
}
