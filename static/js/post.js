/** A correction's way to the server, and the sentence that a person reads where it was not taken. */
import { gettext } from "./i18n.js";

/**
 * @param {string|URL} url
 * @param {FormData} body
 * @returns {Promise<{answer?: string, refusal?: string}>} what the server answered, or why nothing was saved
 */
export async function post(url, body) {
  try {
    const response = await fetch(url, { method: "POST", body });
    const answer = await response.text();
    return response.ok ? { answer } : { refusal: sentenceOf(response, answer) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { refusal: gettext("There is no connection: this was not saved.") };
  }
}

function sentenceOf(response, answer) {
  const isReadable = response.headers.get("Content-Type")?.startsWith("application/json");
  return (isReadable && JSON.parse(answer).sentence) || gettext("This was not saved.");
}
