/** Reads finals to a screen reader, when asked to: growing text would be said again with every word. */

/** Old entries are said already; the log must not grow for hours. */
const KEPT = 30;

export class Announcer {
  /** @param {HTMLElement} log an element with role="log" */
  constructor(log) {
    this.log = log;
    this.isOn = false;
  }

  turn(isOn) {
    this.isOn = isOn;
    this.log.setAttribute("aria-live", isOn ? "polite" : "off");
    if (!isOn) this.log.replaceChildren();
  }

  /** @param {{text: string, language: string}} wording */
  say({ text, language }) {
    if (!this.isOn || text === "") return;
    const line = document.createElement("p");
    line.lang = language;
    line.dir = "auto";
    line.textContent = text;
    this.log.append(line);
    while (this.log.childElementCount > KEPT) this.log.firstElementChild.remove();
  }
}
