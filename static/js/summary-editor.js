/** The host's word on the summary beside the transcript; the recording plays on meanwhile. */
import { post } from "./post.js";

export class SummaryEditor {
  /** @param {HTMLElement} card with the summary and the dialog that corrects it */
  constructor(card) {
    this.#bind(card);
  }

  #bind(card) {
    const dialog = card.querySelector("[data-digest-correction]");
    const button = card.querySelector("[data-digest-correct]");
    const form = dialog.querySelector("form");
    button.hidden = false;
    button.addEventListener("click", () => {
      form.reset();
      answerOf(dialog).textContent = "";
      dialog.showModal();
      dialog.querySelector("textarea").focus();
    });
    dialog.querySelector("[data-correction-cancel]").addEventListener("click", () => dialog.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(card, dialog, form);
    });
  }

  /** The server answers with the page as it is now, of which this card is taken; without items it has none. */
  async #save(card, dialog, form) {
    const { answer, refusal = "" } = await post(form.action, new FormData(form));
    answerOf(dialog).textContent = refusal;
    if (answer === undefined) return;
    const next = new DOMParser().parseFromString(answer, "text/html").querySelector("[data-digest]");
    if (next === null) return card.remove();
    card.replaceWith(next);
    this.#bind(next);
    next.querySelector("[data-digest-correct]").focus();
  }
}

function answerOf(dialog) {
  return dialog.querySelector("[data-correction-answer]");
}
