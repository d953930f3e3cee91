/** The second pass over the recording: once it is over, the open page shows what it has changed. */

const LOOK_MS = 5_000;

export class SecondPass {
  /**
   * @param {HTMLElement} notice with the address of the state in data-second-pass, empty where nothing is awaited
   * @param {HTMLElement} list of the lines
   * @param {HTMLDialogElement|null} dialog in which a line is corrected
   */
  constructor(notice, list, dialog) {
    this.notice = notice;
    this.list = list;
    this.dialog = dialog;
    if (notice.dataset.secondPass !== "") this.#lookSoon();
  }

  #lookSoon() {
    setTimeout(() => this.#look(), LOOK_MS);
  }

  /** What is being corrected is not taken away; a connection that is gone may come back. */
  async #look() {
    try {
      const state = await fetch(this.notice.dataset.secondPass);
      if (state.ok && !(await state.json()).is_pending && !this.dialog?.open) {
        await this.#renew();
        return;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    this.#lookSoon();
  }

  async #renew() {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const lines = fresh.querySelector("[data-lines]");
    if (lines !== null) this.#replace(lines);
    this.notice.textContent = fresh.querySelector("[data-second-pass]").textContent;
  }

  /** Paragraphs that are open stay open, and the focus stays where it is. */
  #replace(lines) {
    const opened = segmentsOf(this.list, "[data-paragraph]:not([data-joined])");
    const focused = document.activeElement.closest("[data-segment]");
    const place = [...(focused?.querySelectorAll("button") ?? [])].indexOf(document.activeElement);
    this.list.replaceChildren(...lines.children);
    for (const line of this.list.querySelectorAll("[data-segment]")) {
      if (opened.has(line.dataset.segment)) open(line.closest("[data-paragraph]"));
      if (line.dataset.segment === focused?.dataset.segment) line.querySelectorAll("button")[place]?.focus({ preventScroll: true });
    }
  }
}

function segmentsOf(list, paragraphs) {
  return new Set([...list.querySelectorAll(`${paragraphs} [data-segment]`)].map(({ dataset }) => dataset.segment));
}

function open(paragraph) {
  paragraph.removeAttribute("data-joined");
  paragraph.querySelector("[data-parts]")?.setAttribute("aria-expanded", "true");
}
