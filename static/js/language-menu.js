/** The reader's choice of language, shown when the meeting offers more than the one that is spoken. */

export class LanguageMenu {
  /**
   * @param {HTMLElement} element a label that holds a select
   * @param {import("./socket.js").ReturningSocket} socket
   * @param {string} chosen code asked for by the link; empty: as spoken
   */
  constructor(element, socket, chosen) {
    this.element = element;
    this.select = element.querySelector("select");
    this.chosen = chosen;
    this.select.addEventListener("change", () => {
      this.chosen = this.select.value;
      socket.send({ type: "language", language: this.chosen });
    });
  }

  /** @param {string[]} codes what the server offers @param {string} spoken "auto" where it is detected */
  offer(codes, spoken) {
    const others = codes.filter((code) => code !== spoken);
    this.element.hidden = others.length === 0;
    this.select.replaceChildren(option(spoken === "auto" ? "" : spoken, "As spoken"), ...others.map((code) => option(code, nameOf(code))));
    this.select.value = others.includes(this.chosen) ? this.chosen : this.select.options[0].value;
  }
}

function option(value, label) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = label;
  return element;
}

/** A language's name in itself: its readers may not read English. */
function nameOf(code) {
  return new Intl.DisplayNames([code], { type: "language", fallback: "code" }).of(code);
}
