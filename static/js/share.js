/** The link for viewers: copied, or projected as a QR card. */
import { copyShown } from "./clipboard.js";

/** @param {HTMLElement} page */
export function bindSharing(page) {
  const find = (name) => page.querySelector(`[data-${name}]`);
  const link = find("join-link");
  link.addEventListener("focus", () => link.select());
  find("copy").addEventListener("click", () => copyShown(link, find("copied")));
  find("show-qr").addEventListener("click", () => find("qr-card").showModal());
  find("close-qr").addEventListener("click", () => find("qr-card").close());
}
