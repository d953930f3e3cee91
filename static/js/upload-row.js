/** One recording in the list: how much has arrived, how far it is captioned, and what is there when it is ready. */
import { gettext } from "./i18n.js";

/** Embeddings, overrides and isolates: with them a name can be made to read as another one. */
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

export class UploadRow {
  /** @param {HTMLTemplateElement} template @param {string} name of the file */
  constructor(template, name) {
    const shown = name.replace(BIDI_CONTROLS, "");
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const part of ["name", "delete", "bar", "status", "hint", "links"]) this[part] = this.element.querySelector(`[data-${part}]`);
    this.name.textContent = shown;
    this.bar.setAttribute("aria-label", shown);
    this.delete.setAttribute("aria-label", gettext("Delete {name}", { name: shown }));
    this.upload = null;
    this.isSending = false;
  }

  /** Before the server knows it. */
  showQueued() {
    this.#show("receiving", 0, gettext("Waiting to be sent"));
  }

  /** What the server says. @param {object} upload */
  show(upload) {
    this.upload = upload;
    this.delete.hidden = upload.delete === null;
    if (upload.state === "receiving") this.showReceived(upload.received);
    else if (upload.state === "captioning") this.#showCaptioned(upload);
    else this.#show(upload.state, upload.state === "waiting" ? 0 : 100, upload.failure || upload.label, upload.note);
    this.#showLinks(upload);
  }

  /** @param {number} bytes that have arrived */
  showReceived(bytes) {
    const percent = Math.floor((bytes / this.upload.size) * 100);
    const words = this.isSending ? gettext("Uploading: {percent} %", { percent }) : gettext("Stopped at {percent} %", { percent });
    this.#show("receiving", percent, words, this.isSending ? "" : gettext("Choose the same file again to go on."));
  }

  showWaiting() {
    this.hint.textContent = gettext("Connection lost, trying again…");
  }

  /** @param {string} sentence why the file is not sent */
  showRefused(sentence) {
    this.#show("failed", 0, sentence);
  }

  #showCaptioned({ captioned, seconds }) {
    const done = clock(captioned);
    const percent = seconds ? Math.min(99, Math.floor((captioned / seconds) * 100)) : null;
    const words = percent === null
      ? gettext("Captioned: {done}", { done })
      : gettext("Captioned: {done} of {all} ({percent} %)", { done, all: clock(seconds), percent });
    this.#show("captioning", percent, words);
  }

  /** @param {string} state @param {number|null} percent null: nobody knows @param {string} words @param {string} hint */
  #show(state, percent, words, hint = "") {
    this.element.dataset.state = state;
    if (percent === null) this.bar.removeAttribute("value");
    else this.bar.value = percent;
    this.bar.hidden = state === "ready" || state === "failed";
    this.status.textContent = words;
    this.hint.textContent = hint;
  }

  #showLinks({ state, page, transcripts }) {
    const links = Object.entries(transcripts).map(([name, address]) => link(address, name.toUpperCase(), true));
    if (state === "captioning" || links.length > 0) links.unshift(link(page, gettext("Open")));
    this.links.replaceChildren(...links);
  }
}

function link(address, text, isDownload = false) {
  const anchor = Object.assign(document.createElement("a"), { href: address, textContent: text });
  if (isDownload) anchor.download = "";
  const item = document.createElement("li");
  item.append(anchor);
  return item;
}

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}
