/** What this device remembers of its reader's choices; where it remembers nothing, pages start with their defaults. */

/** @param {string} key @returns {object} as it was kept; empty where it cannot be read */
export function stored(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}") ?? {};
  } catch (error) {
    // Unreadable or forbidden storage.
    if (error instanceof SyntaxError || error instanceof DOMException) return {};
    throw error;
  }
}

/** @param {string} key @param {object} values */
export function keep(key, values) {
  try {
    localStorage.setItem(key, JSON.stringify(values));
  } catch (error) {
    // A full or forbidden storage costs the memory of a choice, not the choice.
    if (!(error instanceof DOMException)) throw error;
  }
}
