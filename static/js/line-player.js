/** The recording of a meeting beside its lines: a line is heard at a click, and the one that is heard is marked. */

/** Seconds before a line: its first word is not cut off. */
const LEAD_S = 0.25;

export class LinePlayer {
  #lines;
  #heard = null;

  /** @param {HTMLAudioElement} audio @param {HTMLElement} list of lines with data-start */
  constructor(audio, list) {
    this.audio = audio;
    this.#lines = list;
    list.addEventListener("click", (event) => this.#clicked(event));
    audio.addEventListener("timeupdate", () => this.#mark());
  }

  /** The time of a line, which the keyboard reaches too, or its text; not where somebody marks text. */
  #clicked({ target }) {
    const line = target.closest("[data-start]");
    const isAsked = target.closest("[data-hear]") || (target.closest("[data-wording]") && document.getSelection().isCollapsed);
    if (line === null || !isAsked) return;
    this.audio.currentTime = Math.max(0, Number(line.dataset.start) - LEAD_S);
    this.audio.play();
  }

  #mark() {
    const line = lineAt([...this.#lines.querySelectorAll("[data-segment]")], this.audio.currentTime + LEAD_S);
    if (line === this.#heard) return;
    const follows = this.#heard !== null && isInView(this.#heard) && !this.audio.paused;
    this.#heard?.removeAttribute("aria-current");
    line?.setAttribute("aria-current", "true");
    this.#heard = line;
    if (follows) line?.scrollIntoView({ block: "nearest" });
  }
}

/** @returns {HTMLElement|null} the last line that begins at or before `seconds` */
export function lineAt(lines, seconds) {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Number(lines[middle].dataset.start) <= seconds) low = middle + 1;
    else high = middle;
  }
  return lines[low - 1] ?? null;
}

function isInView(line) {
  const { top, bottom } = line.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
