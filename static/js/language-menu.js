/** The reader's choice of language, shown when captions can be read in another than the one that is spoken. */
import { gettext } from "./i18n.js";
import { endonym } from "./languages.js";

const KEY = "parlance.language";

/** Events: "change" (detail: the language that is read from now on; empty: as spoken). */
export class LanguageMenu extends EventTarget {
  /**
   * @param {HTMLElement} element holds a select, a button for the original, and a line for what the server says
   * @param {import("./socket.js").ReconnectingSocket} socket
   * @param {string|null} asked code asked for by the link
   */
  constructor(element, socket, asked) {
    super();
    this.socket = socket;
    this.label = element.querySelector("label");
    this.select = element.querySelector("select");
    this.answer = element.querySelector("[data-language-answer]");
    /** What the reader chose. It is read again as soon as it can be. */
    this.wished = asked ?? sessionStorage.getItem(KEY) ?? "";
    this.chosen = this.wished;
    this.previous = "";
    this.select.addEventListener("change", () => this.#choose(this.select.value));
  }

  /** @param {string[]} codes what the server offers @param {string} spoken "auto" where it is detected */
  offer(codes, spoken) {
    // Who reads Portuguese goes on doing so when it is spoken: what was said before would change its language.
    const others = codes.filter((code) => code !== spoken || code === this.wished);
    this.label.hidden = others.length === 0;
    this.select.replaceChildren(asSpoken(spoken), ...others.map(languageOption));
    this.#read(others.includes(this.wished) ? this.wished : "");
  }

  /** The server does not offer what was chosen: back to what is read, with its sentence. */
  refuse(sentence) {
    this.wished = this.chosen = this.previous;
    this.#show();
    this.answer.textContent = sentence;
  }

  #choose(language) {
    this.previous = this.chosen;
    this.wished = language;
    this.#read(language);
  }

  #read(language) {
    const isOther = language !== this.chosen;
    this.chosen = language;
    this.#show();
    if (isOther) this.socket.send({ type: "language", language });
  }

  #show() {
    this.answer.textContent = "";
    this.select.value = this.chosen;
    sessionStorage.setItem(KEY, this.wished);
    this.dispatchEvent(new CustomEvent("change", { detail: this.chosen }));
  }
}

function asSpoken(spoken) {
  const words = spoken === "auto" ? gettext("As spoken") : gettext("As spoken ({language})", { language: endonym(spoken) });
  return new Option(words, "");
}

function languageOption(code) {
  const option = new Option(endonym(code), code);
  option.lang = code;
  return option;
}
