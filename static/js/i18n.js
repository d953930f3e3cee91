/** The interface in the reader's language: English in the code, another language from the catalogue in the page. */

const catalogue = JSON.parse(document.getElementById("catalogue")?.textContent ?? "{}");

/** What notices and errors from the server are asked for in. */
export const interfaceLanguage = document.documentElement.lang || "en";

/**
 * @param {string} text English, as the catalogue's msgid
 * @param {Record<string, string|number>} values for the names in braces
 */
export function gettext(text, values = {}) {
  return (catalogue[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
}
