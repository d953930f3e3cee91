/** One file on its way to the server, in chunks. After a cut it asks how much has arrived, and goes on there. */
import { gettext } from "./i18n.js";

const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** Answers after which another try would end the same way; the server's own words are told where it has some. */
const REFUSALS = {
  400: gettext("The server did not understand the upload. Reload this page."),
  403: gettext("You are no longer signed in. Sign in again, then choose the file again."),
  404: gettext("This upload was deleted."),
  413: gettext("The file is not the one whose upload was begun. Delete this entry and upload it again."),
  507: gettext("There is no room on the server for this file."),
};

export class UploadRefused extends Error {}

export class Transfer extends EventTarget {
  /**
   * Tells `progress` (bytes that have arrived) and `waiting` (the connection is cut, it tries again).
   * @param {File} file @param {string} address of the upload
   * @param {{chunkBytes: number, csrfToken: string, pause?: (attempt: number) => Promise<void>}} options
   */
  constructor(file, address, { chunkBytes, csrfToken, pause = backOff }) {
    super();
    this.file = file;
    this.address = address;
    this.chunkBytes = chunkBytes;
    this.csrfToken = csrfToken;
    this.pause = pause;
    this.cancelled = new AbortController();
  }

  /** Resolves when all of it has arrived, or it was cancelled. Throws UploadRefused with a sentence. */
  async run() {
    let attempt = 0;
    let offset = null;
    while (!this.cancelled.signal.aborted && offset !== this.file.size) {
      try {
        offset = offset === null ? await this.#ask() : await this.#send(offset);
        attempt = 0;
        this.dispatchEvent(new CustomEvent("progress", { detail: offset }));
      } catch (error) {
        if (error instanceof UploadRefused) throw error;
        offset = null;
        if (attempt > 0) this.dispatchEvent(new Event("waiting"));
        await this.pause(attempt);
        attempt += 1;
      }
    }
  }

  cancel() {
    this.cancelled.abort();
  }

  async #ask() {
    return this.#offsetOf(await this.#fetch("HEAD", {}));
  }

  async #send(offset) {
    const chunk = await this.file.slice(offset, offset + this.chunkBytes).arrayBuffer();
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream", ...(await checksum(chunk)) };
    return this.#offsetOf(await this.#fetch("PATCH", headers, chunk));
  }

  #fetch(method, headers, body) {
    const { signal } = this.cancelled;
    return fetch(this.address, { method, headers: { ...headers, "X-CSRFToken": this.csrfToken }, body, signal, redirect: "error" });
  }

  /** 409 tells where to go on; any other answer but success is an error. */
  async #offsetOf(response) {
    if (response.ok || response.status === 409) return Number(response.headers.get("Upload-Offset"));
    if (response.status in REFUSALS) throw new UploadRefused(REFUSALS[response.status]);
    throw new Error(`HTTP ${response.status}`);
  }
}

/** Browsers compute digests on secure pages only; elsewhere TCP's own sums must do. */
async function checksum(chunk) {
  if (!globalThis.crypto?.subtle) return {};
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", chunk));
  return { "Upload-Checksum": `sha256 ${btoa(String.fromCharCode(...digest))}` };
}

/** Full jitter, so that many pages do not come back at once. */
function backOff(attempt) {
  const longest = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
}
