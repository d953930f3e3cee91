/** Copies for the reader, and says how they copy themselves where the browser does not let a page do it. */
import { gettext } from "./i18n.js";

const THANKS_MS = 3_000;
const BY_HAND = gettext("It is selected: press Ctrl-C or ⌘-C, or hold it and choose Copy.");

/** @param {string} text @returns {Promise<boolean>} whether it was copied: insecure pages have no clipboard, others may be refused */
export async function copy(text) {
  if (!navigator.clipboard) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return false;
  }
}

/** @param {HTMLElement} shown holds the text @param {HTMLElement} answer */
export async function copyShown(shown, answer) {
  if (await copy(shown.value ?? shown.textContent)) {
    thank(answer);
    return;
  }
  if (shown.select) {
    shown.focus();
    shown.select();
  } else getSelection().selectAllChildren(shown);
  answer.textContent = BY_HAND;
}

/** @param {HTMLElement} answer */
export function thank(answer) {
  const words = gettext("Copied.");
  answer.textContent = words;
  setTimeout(() => answer.textContent === words && (answer.textContent = ""), THANKS_MS);
}
