/** The list of recordings: asks the server how far they are, and tells what became of each once. */
import { gettext } from "./i18n.js";
import { UploadRow } from "./upload-row.js";

const LOOK_MS = 2_000;
/** Nothing goes on here, but another page may have begun something. */
const IDLE_LOOK_MS = 20_000;
const OVER = ["ready", "failed"];

export class UploadList {
  /** @param {HTMLElement} page @param {string} csrfToken @param {(id: string) => void} onDelete */
  constructor(page, csrfToken, onDelete) {
    this.address = page.dataset.list;
    this.template = document.querySelector("template[data-row]");
    for (const part of ["rows", "empty", "said", "trouble"]) this[part] = page.querySelector(`[data-${part}]`);
    this.csrfToken = csrfToken;
    this.onDelete = onDelete;
    /** By id of the upload. */
    this.known = new Map();
    this.timer = 0;
  }

  /** A row on top, for a file that the server does not know yet. */
  add(name) {
    const row = new UploadRow(this.template, name);
    row.delete.addEventListener("click", () => this.#delete(row));
    this.rows.prepend(row.element);
    this.empty.hidden = true;
    return row;
  }

  /** The server knows the row's file now, as `upload`. */
  settle(row, upload) {
    this.known.set(upload.id, row);
    row.show(upload);
  }

  /** An upload of the same file that has not arrived whole, and that nobody is sending. @param {File} file */
  unfinished(file) {
    return [...this.known.values()].find(
      ({ upload, isSending }) =>
        !isSending && upload.state === "receiving" && upload.name === file.name && upload.size === file.size && upload.modified === file.lastModified,
    );
  }

  /** Asks now, and again as long as something goes on. */
  async refresh() {
    clearTimeout(this.timer);
    try {
      const response = await fetch(this.address, { headers: { Accept: "application/json" }, redirect: "error" });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      this.#showAll((await response.json()).uploads);
      this.trouble.textContent = "";
    } catch {
      this.trouble.textContent = gettext("The list cannot be read just now; trying again.");
    }
    const isIdle = [...this.known.values()].every(({ upload }) => OVER.includes(upload.state));
    this.timer = setTimeout(() => this.refresh(), isIdle ? IDLE_LOOK_MS : LOOK_MS);
  }

  #showAll(uploads) {
    const news = uploads.toReversed().filter((upload) => this.#show(upload));
    if (news.length > 0) this.said.textContent = news.map((upload) => [`${upload.name}: ${upload.failure || upload.label}`, upload.note].filter(Boolean).join(". ")).join(" ");
    this.empty.hidden = this.rows.childElementCount > 0;
  }

  /** Says whether it came to its end since the last look. */
  #show(upload) {
    const row = this.known.get(upload.id);
    if (row === undefined) this.settle(this.add(upload.name), upload);
    if (row === undefined || row.isSending) return false;
    const isNews = OVER.includes(upload.state) && row.upload.state !== upload.state;
    row.show(upload);
    return isNews;
  }

  async #delete(row) {
    if (!window.confirm(gettext("Delete “{name}” with all its captions? This cannot be undone.", { name: row.name.textContent }))) return;
    if (row.upload !== null) {
      this.onDelete(row.upload.id);
      const response = await fetch(row.upload.delete, { method: "POST", headers: { "X-CSRFToken": this.csrfToken }, redirect: "manual" });
      if (response.type !== "opaqueredirect" && response.status !== 404) {
        this.trouble.textContent = gettext("It could not be deleted. Reload this page and try again.");
        return;
      }
      this.known.delete(row.upload.id);
    }
    row.element.remove();
    this.empty.hidden = this.rows.childElementCount > 0;
    document.querySelector("#your-uploads").focus();
  }
}
