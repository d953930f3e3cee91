/** Parts of the host page that fold. They stay as the host left them, and open where something wants to be seen. */
import { keep, stored } from "./stored.js";

const KEY = "parlance.folds";

/** Folds and opens them as the host did last. @param {HTMLElement} page holds details[data-fold] */
export function bindFolds(page) {
  const chosen = stored(KEY);
  for (const fold of page.querySelectorAll("details[data-fold]")) {
    const name = fold.dataset.fold;
    fold.open = chosen[name] === true;
    // Comes before it opens or folds, and from a person alone, by the keyboard too.
    fold.querySelector("summary").addEventListener("click", () => {
      chosen[name] = !fold.open;
      keep(KEY, chosen);
    });
  }
}

/** Opens what the element stands in: it wants to be seen. @param {HTMLElement} element */
export function unfold(element) {
  const fold = element.closest("details[data-fold]");
  if (fold) fold.open = true;
}

/** The same, unless the host has folded it. @param {HTMLElement} element */
export function offer(element) {
  const name = element.closest("details[data-fold]")?.dataset.fold;
  if (stored(KEY)[name] !== false) unfold(element);
}
