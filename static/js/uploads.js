/** The page for uploads: takes files, announces them with the choices of the form, and sends two at a time. */
import { gettext } from "./i18n.js";
import { takeInput } from "./ready.js";
import { UploadList } from "./upload-list.js";
import { Transfer, UploadRefused } from "./upload-transfer.js";

const AT_ONCE = 2;

class Uploads {
  /** @param {HTMLElement} page */
  constructor(page) {
    this.page = page;
    this.form = page.querySelector("[data-form]");
    this.csrfToken = this.form.elements.csrfmiddlewaretoken.value;
    this.list = new UploadList(page, this.csrfToken, (id) => this.transfers.get(id)?.cancel());
    /** By id of the upload. */
    this.transfers = new Map();
    this.queue = [];
    this.sending = 0;
  }

  /** @param {Iterable<File>} files */
  take(files) {
    const choices = new FormData(this.form);
    for (const file of files) {
      const row = this.list.unfinished(file) ?? this.list.add(file.name);
      row.isSending = true;
      if (row.upload === null) row.showQueued();
      this.queue.push({ file, row, choices });
    }
    this.#next();
  }

  get isBusy() {
    return this.sending > 0 || this.queue.length > 0;
  }

  #next() {
    while (this.sending < AT_ONCE && this.queue.length > 0) {
      this.sending += 1;
      this.#send(this.queue.shift()).finally(() => {
        this.sending -= 1;
        this.#next();
      });
    }
  }

  async #send({ file, row, choices }) {
    if (!row.element.isConnected) return; // deleted while it waited
    try {
      if (row.upload === null) this.list.settle(row, await this.#announce(file, choices));
      await this.#transfer(file, row);
      row.isSending = false;
      await this.list.refresh();
    } catch (error) {
      row.isSending = false;
      row.showRefused(error instanceof UploadRefused ? error.message : gettext("The server cannot be reached. Choose the file again to try once more."));
    }
  }

  async #announce(file, choices) {
    const body = new FormData();
    for (const [name, value] of choices) body.append(name, value);
    for (const [name, value] of Object.entries({ name: file.name, size: file.size, modified: file.lastModified, type: file.type })) body.set(name, value);
    const response = await fetch(this.page.dataset.announce, { method: "POST", body, redirect: "error" });
    if (response.status === 201) return response.json();
    const isAnswer = response.headers.get("Content-Type")?.startsWith("application/json");
    throw new UploadRefused(isAnswer ? (await response.json()).sentence : gettext("The server did not understand the upload. Reload this page."));
  }

  async #transfer(file, row) {
    const transfer = new Transfer(file, row.upload.address, { chunkBytes: Number(this.page.dataset.chunkBytes), csrfToken: this.csrfToken });
    this.transfers.set(row.upload.id, transfer);
    transfer.addEventListener("progress", ({ detail }) => row.showReceived(detail));
    transfer.addEventListener("waiting", () => row.showWaiting());
    try {
      await transfer.run();
    } finally {
      this.transfers.delete(row.upload.id);
    }
  }
}

const page = document.querySelector("[data-uploads]");
const uploads = new Uploads(page);
const files = page.querySelector("[data-files]");
const drop = page.querySelector("[data-drop]");

files.addEventListener("change", () => {
  uploads.take(files.files);
  files.value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.dataset.over = String(name === "dragover");
    if (name === "drop") uploads.take(event.dataTransfer.files);
  });
}
window.addEventListener("beforeunload", (event) => {
  if (uploads.isBusy) event.preventDefault();
});

// Which languages may be detected is a question only where the language is detected.
const language = page.querySelector("#id_language");
const showDetected = () => (page.querySelector("[data-detected]").hidden = language.value !== "auto");
language.addEventListener("change", showDetected);
showDetected();
page.querySelector("[data-form]").addEventListener("submit", (event) => event.preventDefault());
takeInput();
uploads.list.refresh();
