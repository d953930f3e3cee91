/** The host's word on a line of the transcript: what was said and by whom; the recording plays on meanwhile. */
import { post } from "./post.js";

export class LineEditor {
  #line = null;

  /** @param {HTMLDialogElement} dialog @param {HTMLElement} list of the lines */
  constructor(dialog, list) {
    this.dialog = dialog;
    this.list = list;
    this.form = dialog.querySelector("form");
    this.answer = dialog.querySelector("[data-correction-answer]");
    list.addEventListener("click", ({ target }) => target.closest("[data-correct]") && this.#open(target.closest("[data-segment]")));
    dialog.querySelector("[data-correction-cancel]").addEventListener("click", () => dialog.close());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  #open(line) {
    this.#line = line;
    const { text, seen, speaker } = this.form.elements;
    text.value = seen.value = line.dataset.said;
    if (speaker) speaker.value = line.dataset.speaker;
    for (const field of this.form.querySelectorAll("[data-translation]")) fill(field, line);
    this.answer.textContent = "";
    this.dialog.showModal();
    text.focus();
  }

  async #save() {
    const line = this.#line;
    const { answer, refusal = "" } = await post(this.#address(line), new FormData(this.form));
    this.answer.textContent = refusal;
    if (answer !== undefined) this.#show(line, JSON.parse(answer));
  }

  /** The form's own has "-" where the line's id belongs. */
  #address(line) {
    const url = new URL(this.form.action);
    url.pathname = url.pathname.replace(/-$/, encodeURIComponent(line.dataset.segment));
    return url;
  }

  #show(line, { said, speaker, wordings }) {
    this.dialog.close();
    const next = line.querySelector("[data-correct]");
    if (said === "") {
      this.#remove(line);
    } else {
      line.dataset.said = said;
      line.querySelectorAll("[data-wording]").forEach((element, index) => write(element, wordings[index]));
      this.#attribute(line, speaker);
      next.focus();
    }
    markTurns(this.list);
  }

  #remove(line) {
    const lines = [...this.list.querySelectorAll("[data-segment]")];
    const index = lines.indexOf(line);
    const isAlone = line.parentElement.children.length === 1;
    (isAlone ? line.closest("[data-paragraph]") : line).remove();
    (lines[index + 1] ?? lines[index - 1])?.querySelector("[data-correct]").focus();
  }

  #attribute(line, { id, name, color }) {
    line.dataset.speaker = id;
    line.querySelector("[data-speaker-name]").textContent = name;
    line.querySelector(".speaker").dataset.color = color;
  }
}

/** A field for what the line says in another language; it is empty where no model has translated it. */
function fill(field, line) {
  const { translation } = field.dataset;
  const [seen, text] = field.querySelectorAll("input, textarea");
  const isThere = ({ dataset }) => dataset.asked === translation && translation !== line.dataset.language;
  const wording = [...line.querySelectorAll("[data-wording]")].find(isThere);
  field.hidden = wording === undefined;
  text.value = seen.value = field.hidden || wording.dataset.pending === "true" ? "" : wording.textContent;
}

function write(element, { text, language, direction, is_pending: isPending }) {
  element.textContent = text;
  element.lang = language;
  element.dir = direction;
  element.dataset.pending = String(isPending);
}

/** A name stands where somebody else speaks than before. */
function markTurns(list) {
  let before = null;
  for (const line of list.querySelectorAll("[data-segment]")) {
    const name = line.querySelector("[data-speaker-name]").textContent;
    line.querySelector(".speaker").hidden = name === "" || name === before;
    before = name;
  }
}
