/** Languages by ISO code: how they are called, and which way they are written. */
import { interfaceLanguage } from "./i18n.js";

const RIGHT_TO_LEFT = ["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/** @returns {"ltr"|"rtl"|"auto"} auto where the language is not known */
export function directionOf(language) {
  if (!language) return "auto";
  return RIGHT_TO_LEFT.includes(language.split("-")[0]) ? "rtl" : "ltr";
}

/** As in inference/text.py. */
const UNSPACED = ["bo", "ja", "km", "lo", "my", "th", "yue", "zh"];

/** What stands between two texts: nothing between two languages that are written without spaces. */
export function spaceBetween(before, after) {
  return isUnspaced(before) && isUnspaced(after) ? "" : " ";
}

/** Whether its words stand without spaces between them. */
export function isUnspaced(language) {
  return UNSPACED.includes(language);
}

/** A language's name in itself: its readers may not read the interface's. */
export function endonym(code) {
  return capitalised(displayName(code, code), code);
}

/** A language's name in the language of the interface, as it stands in a sentence. */
export function languageName(code) {
  return displayName(code, interfaceLanguage);
}

function displayName(code, inLanguage) {
  return new Intl.DisplayNames([inLanguage], { type: "language", fallback: "code" }).of(code);
}

/** Many languages write their names small; a list looks better without. */
function capitalised(name, language) {
  const [first, ...rest] = name;
  return first.toLocaleUpperCase(language) + rest.join("");
}
