/** The list of meetings and the form above it. */
import "./confirm.js";
import { MeetingStates } from "./meeting-states.js";
import { takeInput } from "./ready.js";

// Which languages may be detected is a question only where the language is detected.
const language = document.querySelector("#id_language");
const detected = document.querySelector("[data-detected]");
const showDetected = () => (detected.hidden = language.value !== "auto");
language.addEventListener("change", showDetected);
showDetected();

// A menu closes like a menu: by a click elsewhere, or by Escape.
const openMenus = () => document.querySelectorAll(".more-menu[open]");
document.addEventListener("click", ({ target }) => {
  for (const menu of openMenus()) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
const list = document.querySelector("[data-states]");
if (list) new MeetingStates(list);
takeInput();
