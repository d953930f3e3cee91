/** A projector's overlay: words go after a silence, and a long turn keeps its name. */
import { SpeechPause } from "./speech-pause.js";

const OLD_AFTER_MS = 8_000;
/** As long as old words take to fade in static/css/viewer.css. */
const FADE_MS = 1_000;

export class Overlay {
  /** @param {HTMLElement} page holds [data-transcript] and [data-turn] @param {import("./feed.js").CaptionFeed} feed */
  constructor(page, feed) {
    this.feed = feed;
    this.transcript = page.querySelector("[data-transcript]");
    this.name = page.querySelector("[data-turn]");
    this.timer = 0;
    const pause = new SpeechPause(feed, OLD_AFTER_MS);
    pause.addEventListener("change", () => this.#age(pause.isOn));
    for (const type of ["words", "caption"]) feed.addEventListener(type, () => this.#nameTurn());
    feed.speakers.addEventListener("change", () => this.#nameTurn());
    new ResizeObserver(() => this.#nameTurn()).observe(this.transcript);
  }

  #age(isOld) {
    this.transcript.dataset.old = String(isOld);
    clearTimeout(this.timer);
    if (isOld) this.timer = setTimeout(() => this.#clear(), FADE_MS);
    this.#nameTurn();
  }

  #clear() {
    this.feed.clear();
    this.#nameTurn();
  }

  /** Names who says the first line that is seen, where the name itself has rolled out of sight. */
  #nameTurn() {
    const { top } = this.transcript.getBoundingClientRect();
    const turn = this.feed.view.paragraphs.find(({ element }) => element.getBoundingClientRect().bottom > top + 1);
    const isNamed = turn?.element.querySelector(".speaker") && turn.element.getBoundingClientRect().top > top - 1;
    const speaker = isNamed || this.transcript.dataset.old === "true" ? null : (turn?.speaker ?? null);
    this.name.hidden = speaker === null;
    if (speaker === null) return;
    this.name.dataset.color = this.feed.speakers.colorIndex(speaker);
    this.name.textContent = this.feed.speakers.displayName(speaker);
  }
}
