/** The language that the host says is spoken, and a question where the models hear another one. */
import { unfold } from "./folds.js";
import { gettext } from "./i18n.js";
import { languageName } from "./languages.js";

/** Milliseconds after which the page stops waiting for a choice to hold. */
const LATEST = 120_000;

export class SpokenLanguage {
  /**
   * @param {HTMLElement} card holds the data-spoken-… elements of templates/meetings/_spoken.html
   * @param {import("./corrections.js").Corrections} corrections
   */
  constructor(card, corrections) {
    this.corrections = corrections;
    for (const name of ["language", "name", "pending", "question", "buttons", "switch", "keep"]) this[name] = card.querySelector(`[data-spoken-${name}]`);
    this.detected = null;
    /** The choice that does not hold yet, because what was said before is still being captioned, and since when. */
    this.awaited = null;
    corrections.addEventListener("refused", () => this.#await(null));
    /** Pairs of set and heard that the host wants to keep: asked once is enough. */
    this.kept = new Set();
    this.language.addEventListener("change", () => this.#set(this.language.value));
    this.switch.addEventListener("click", () => this.#set(this.detected));
    this.keep.addEventListener("click", () => this.#keep());
    this.#show(this.language.value);
  }

  /** @param {{language?: string, detected_language?: string|null}} ledger the server's, once a second */
  update({ language, detected_language: detected = null }) {
    if (this.awaited !== null && (language === this.awaited.language || performance.now() - this.awaited.since > LATEST)) this.#await(null);
    if (language && this.awaited === null && document.activeElement !== this.language) this.#show(language);
    this.#ask(this.kept.has(pair(this.language.value, detected)) ? null : detected);
  }

  #ask(detected) {
    if (detected === this.detected) return;
    this.detected = detected;
    this.buttons.hidden = detected === null;
    if (detected !== null) unfold(this.question);
    this.question.textContent = detected === null ? "" : gettext("This sounds like {language}. Switch?", { language: languageName(detected) });
    if (detected === null) return;
    this.switch.textContent = gettext("Switch to {language}", { language: languageName(detected) });
    this.keep.textContent = gettext("Keep {language}", { language: languageName(this.language.value) });
  }

  #set(language) {
    this.#await(language);
    this.corrections.send({ type: "set_language", language });
    this.#show(language);
    this.#ask(null);
  }

  #await(language) {
    this.awaited = language === null ? null : { language, since: performance.now() };
    this.pending.textContent = language === null ? "" : gettext("This holds from here on, once everything said before is captioned.");
  }

  #show(language) {
    this.language.value = language;
    this.name.textContent = this.language.selectedOptions[0]?.text ?? "";
  }

  #keep() {
    this.kept.add(pair(this.language.value, this.detected));
    this.#ask(null);
  }
}

function pair(set, heard) {
  return `${set} ${heard}`;
}
