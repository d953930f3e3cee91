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
    this.chosen = asked ?? sessionStorage.getItem(KEY) ?? "";
    this.previous = "";
    this.select.addEventListener("change", () => this.#choose(this.select.value));
  }

  /** @param {string[]} codes what the server offers @param {string} spoken "auto" where it is detected */
  offer(codes, spoken) {
    // Who reads Portuguese goes on doing so when it is spoken: what was said before would change its language.
    const others = codes.filter((code) => code !== spoken || code === this.chosen);
    this.label.hidden = others.length === 0;
    this.select.replaceChildren(asSpoken(spoken), ...others.map(languageOption));
    if (!others.includes(this.chosen)) this.chosen = "";
    this.#show();
  }

  /** The server does not offer what was chosen: back to what is read, with its sentence. */
  refuse(sentence) {
    this.chosen = this.previous;
    this.#show();
    this.answer.textContent = sentence;
  }

  #choose(language) {
    this.previous = this.chosen;
    this.chosen = language;
    this.#show();
    this.socket.send({ type: "language", language });
  }

  #show() {
    this.answer.textContent = "";
    this.select.value = this.chosen;
    sessionStorage.setItem(KEY, this.chosen);
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
