/** Search in the lines of a transcript. Matches are ranges that the browser paints: the text itself is not touched. */
import { gettext } from "./i18n.js";

const ALL = "found";
const PRESENT = "found-here";
const MARKS = /\p{M}/gu;

/**
 * Text without case and accents, and for each of its characters where it stands in the original.
 * @param {string} text
 * @returns {{folded: string, places: number[]}} `places` has one entry more: the end of the text
 */
export function fold(text) {
  let folded = "";
  const places = [];
  let place = 0;
  for (const character of text) {
    const plain = character.normalize("NFD").replace(MARKS, "").toLowerCase();
    folded += plain;
    for (let index = 0; index < plain.length; index += 1) places.push(place);
    place += character.length;
  }
  return { folded, places: [...places, place] };
}

/** @returns {[number, number][]} start and end of each place in `text` that reads as `wanted` */
export function matches(text, wanted) {
  const { folded, places } = fold(text);
  const needle = fold(wanted.trim()).folded;
  const found = [];
  if (needle === "") return found;
  for (let at = folded.indexOf(needle); at >= 0; at = folded.indexOf(needle, at + needle.length)) {
    found.push([places[at], places[at + needle.length]]);
  }
  return found;
}

export class TextSearch {
  #ranges = [];
  #index = -1;

  /** @param {HTMLElement} place with the data-search-… elements @param {HTMLElement} list of the lines */
  constructor(place, list) {
    this.list = list;
    for (const name of ["field", "previous", "next", "count"]) this[name] = place.querySelector(`[data-search-${name}]`);
    this.field.addEventListener("input", () => this.#search());
    this.field.addEventListener("keydown", (event) => this.#pressed(event));
    this.next.addEventListener("click", () => this.#step(1));
    this.previous.addEventListener("click", () => this.#step(-1));
    // What is corrected is searched anew.
    new MutationObserver(() => this.#search()).observe(list, { childList: true, subtree: true, characterData: true });
    place.hidden = false;
    this.#show();
  }

  #search() {
    this.#ranges = [...this.list.querySelectorAll("[data-wording]")].flatMap((line) => rangesIn(line, this.field.value));
    this.#index = -1;
    this.#show();
  }

  #pressed(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.#step(event.shiftKey ? -1 : 1);
  }

  #step(by) {
    const count = this.#ranges.length;
    if (count === 0) return;
    this.#index = this.#index < 0 && by < 0 ? count - 1 : (this.#index + by + count) % count;
    this.#ranges[this.#index].startContainer.parentElement.scrollIntoView({ block: "center" });
    this.#show();
  }

  #show() {
    paint(ALL, this.#ranges);
    paint(PRESENT, this.#index < 0 ? [] : [this.#ranges[this.#index]]);
    const count = this.#ranges.length;
    this.next.disabled = this.previous.disabled = count === 0;
    this.count.textContent = this.field.value.trim() === "" ? "" : this.#sentence(count);
  }

  #sentence(count) {
    if (count === 0) return gettext("Not found.");
    return this.#index < 0
      ? gettext("Found: {count}", { count })
      : gettext("{index} of {count}", { index: this.#index + 1, count });
  }
}

function rangesIn(line, wanted) {
  const text = line.firstChild;
  if (text === null) return [];
  return matches(text.data, wanted).map(([start, end]) => {
    const range = document.createRange();
    range.setStart(text, start);
    range.setEnd(text, end);
    return range;
  });
}

/** Browsers that cannot paint ranges still count them and go there. */
function paint(name, ranges) {
  if (window.CSS?.highlights === undefined) return;
  if (ranges.length === 0) CSS.highlights.delete(name);
  else CSS.highlights.set(name, new Highlight(...ranges));
}
