/** How captions look on this device: kept in localStorage, overruled by the page's query (for projectors and embeds). */
import { keep, stored } from "./stored.js";

const KEY = "parlance.appearance";

export const DEFAULTS = Object.freeze({
  size: 100,
  theme: "auto",
  spacing: "normal",
  font: "device",
  width: "normal",
  position: "fill",
  mode: "fastest",
  announce: false,
  original: false,
});

const ALLOWED = {
  theme: ["auto", "light", "dark", "contrast"],
  spacing: ["normal", "wide"],
  font: ["device", "clear", "serif", "mono"],
  width: ["narrow", "normal", "full"],
  position: ["fill", "top", "bottom"],
  mode: ["fastest", "steady"],
};
const SWITCHES = ["announce", "original"];
const SMALLEST = 50;
const LARGEST = 200;

/**
 * @param {Record<string, unknown>} values anything: a stored object, a query
 * @returns {Partial<typeof DEFAULTS>} what of it makes sense
 */
export function sensible(values) {
  const result = {};
  for (const [name, allowed] of Object.entries(ALLOWED)) {
    if (allowed.includes(values[name])) result[name] = values[name];
  }
  const size = Number(values.size ?? NaN);
  if (Number.isFinite(size)) result.size = Math.max(SMALLEST, Math.min(LARGEST, Math.round(size)));
  for (const name of SWITCHES) if ([true, "1"].includes(values[name])) result[name] = true;
  return result;
}

/** Events: "change" (detail: the values). */
export class Appearance extends EventTarget {
  /** @param {URLSearchParams} query @param {Partial<typeof DEFAULTS>} preset what only the query overrules */
  constructor(query = new URLSearchParams(window.location.search), preset = {}) {
    super();
    this.values = { ...DEFAULTS, ...sensible(stored(KEY)), ...preset, ...sensible(Object.fromEntries(query)) };
    this.#apply();
  }

  /** Fills the panel in and listens to it. @param {HTMLElement} panel */
  bind(panel) {
    for (const input of panel.querySelectorAll("input, select")) fill(input, this.values[input.name]);
    this.output = panel.querySelector("[data-size-output]");
    panel.addEventListener("input", ({ target }) => this.#read(target));
    this.#apply();
  }

  #read(input) {
    this.set(input.name, input.type === "checkbox" ? input.checked : input.value);
  }

  /** @param {keyof typeof DEFAULTS} name */
  set(name, value) {
    const off = Object.fromEntries(SWITCHES.map((each) => [each, false]));
    this.values = { ...this.values, ...off, ...sensible({ ...this.values, [name]: value }) };
    keep(KEY, this.values);
    this.#apply();
    this.dispatchEvent(new CustomEvent("change", { detail: this.values }));
  }

  #apply() {
    const root = document.documentElement;
    for (const name of ["theme", "spacing", "font", "width", "position"]) root.dataset[name] = this.values[name];
    root.dataset.original = this.values.original ? "shown" : "hidden";
    // Through the CSSOM: the page's policy allows no style attribute in markup.
    root.style.setProperty("--caption-scale", String(this.values.size / 100));
    if (this.output) this.output.textContent = `${this.values.size} %`;
  }
}

function fill(input, value) {
  if (input.type === "checkbox") input.checked = value;
  else if (input.type === "radio") input.checked = input.value === value;
  else input.value = String(value);
}
