/** The link for readers: copied, or projected as a QR card. */
import { gettext } from "./i18n.js";

const THANKS_MS = 3_000;

/** @param {HTMLElement} page */
export function bindSharing(page) {
  const find = (name) => page.querySelector(`[data-${name}]`);
  const link = find("join-link");
  link.addEventListener("focus", () => link.select());
  find("copy").addEventListener("click", () => copy(link, find("copied")));
  find("show-qr").addEventListener("click", () => find("qr-card").showModal());
  find("close-qr").addEventListener("click", () => find("qr-card").close());
}

/** @param {HTMLInputElement} link @param {HTMLElement} answer */
async function copy(link, answer) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(link.value);
    answer.textContent = gettext("Copied.");
  } else {
    // Insecure pages have no clipboard: the reader's own keys do it.
    link.select();
    answer.textContent = gettext("Press Ctrl-C or ⌘-C to copy.");
  }
  setTimeout(() => (answer.textContent = ""), THANKS_MS);
}
