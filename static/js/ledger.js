/** The figures that show that nothing is lost, in seconds of sound. */
import { unfold } from "./folds.js";
import { gettext } from "./i18n.js";
import { clock } from "./transcript-view.js";

/** While captions are live the last word is always some seconds old, which worries hosts for nothing. */
const BEHIND_MATTERS = ["catching_up", "summarizing", "degraded"];

/** Less is a syllable. */
export const MISSING_SECONDS = 1;

export class Ledger {
  /** @param {HTMLElement} list holds [data-figure] elements @param {HTMLElement} saved what stands where they are folded */
  constructor(list, saved) {
    this.saved = saved;
    this.cells = Object.fromEntries([...list.querySelectorAll("[data-figure]")].map((cell) => [cell.dataset.figure, cell]));
    /** The server's last word; before it nothing is known to be behind. */
    this.server = null;
    this.captured = 0;
    this.missing = 0;
    this.follow("waiting");
  }

  /** @param {string} state of the meeting */
  follow(state) {
    this.cells.behind.parentElement.hidden = !BEHIND_MATTERS.includes(state);
  }

  /** @param {{durable_s: number, captioned_s: number, missing_s: number}} message the server's ledger */
  update(message) {
    this.server = message;
    this.#draw();
  }

  /** @param {number|null} seconds what this page knows to be captured, sent or not */
  setCaptured(seconds) {
    if (seconds === null) return;
    this.captured = seconds;
    this.#draw();
  }

  #draw() {
    const captured = Math.max(this.captured, this.server?.durable_s ?? 0);
    this.#write("captured", clock(captured));
    if (this.server === null) return;
    const { durable_s: durable, captioned_s: captioned, missing_s: missing } = this.server;
    this.#write("durable", clock(durable));
    if (durable > 0) this.saved.textContent = gettext("{time} saved", { time: clock(durable) });
    this.#write("captioned", clock(captioned));
    this.#write("behind", `${Math.max(0, captured - captioned).toFixed(0)} s`);
    this.#write("missing", `${missing.toFixed(missing % 1 === 0 ? 0 : 1)} s`);
    this.cells.missing.parentElement.dataset.bad = String(missing > 0);
    if (missing >= MISSING_SECONDS && this.missing < MISSING_SECONDS) unfold(this.cells.missing);
    this.missing = missing;
  }

  #write(figure, text) {
    if (this.cells[figure].textContent !== text) this.cells[figure].textContent = text;
  }
}
