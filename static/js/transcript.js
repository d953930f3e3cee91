/** The page of a transcript: the server has written it; this makes it searched, heard, copied and corrected. */
import { Appearance } from "./appearance.js";
import { copy, thank } from "./clipboard.js";
import { LineEditor } from "./line-editor.js";
import { LinePlayer } from "./line-player.js";
import { gettext } from "./i18n.js";
import { takeInput } from "./ready.js";
import { SecondPass } from "./second-pass.js";
import { SummaryEditor } from "./summary-editor.js";
import { TextSearch } from "./text-search.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const list = find("lines");

// Text size, colours and spacing as they are chosen on the page of the captions.
new Appearance();

if (list !== null) {
  new TextSearch(find("search"), list);
  list.addEventListener("click", showLines);
  if (find("player") !== null) new LinePlayer(find("player"), list);
  if (find("correction") !== null) new LineEditor(find("correction"), list);
  if (find("second-pass") !== null) new SecondPass(find("second-pass"), list, find("correction"));
  bindCopy(find("copy"), find("copied"));
  const print = find("print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

if (find("languages") !== null) showAtOnce(find("languages"));
if (find("digest-correction") !== null) new SummaryEditor(find("digest"));
for (const form of document.querySelectorAll("[data-speaker-form]")) form.addEventListener("submit", confirmMerge);
takeInput();

/** A choice needs no second press. */
function showAtOnce(form) {
  form.querySelector("button").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}

/** Two people that become one stay one. */
function confirmMerge(event) {
  const { into } = event.target.elements;
  if (!into?.value) return;
  const names = { one: event.target.dataset.speakerForm, other: into.selectedOptions[0].text };
  const question = gettext("Are {one} and {other} the same person? They become one; this cannot be undone.", names);
  if (!window.confirm(question)) event.preventDefault();
}

/** Insecure pages have no clipboard. */
function bindCopy(button, answer) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (await copy(asText(list))) thank(answer);
    else answer.textContent = gettext("The browser does not let this page copy. Download the transcript instead.");
  });
}

/** Its captions one below the other, each with its time and what can be done with it. */
function showLines({ target }) {
  const button = target.closest("[data-parts]");
  if (button === null) return;
  const isJoined = button.closest("[data-paragraph]").toggleAttribute("data-joined");
  button.setAttribute("aria-expanded", String(!isJoined));
}

/** One line a paragraph, as it is read; a new one where a correction has made it somebody else's. */
function asText(lines) {
  let text = "";
  for (const line of lines.querySelectorAll("[data-segment]")) {
    const { previousSibling } = line;
    const isJoined = previousSibling !== null && line.querySelector(".speaker").hidden;
    const space = previousSibling?.nodeType === Node.TEXT_NODE ? previousSibling.data : "";
    text += isJoined ? space : `${text && "\n"}${opening(line)}`;
    text += line.querySelector("[data-wording]").textContent;
  }
  return text;
}

function opening(line) {
  const name = line.querySelector("[data-speaker-name]").textContent;
  return `[${line.querySelector(".time").textContent.trim()}] ${name ? `${name}: ` : ""}`;
}
