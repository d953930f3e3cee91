/** The list of meetings and the form above it. */
import "./confirm.js";
import { MeetingStates } from "./meeting-states.js";
import { bindMenus, detailsMenu } from "./menus.js";
import { takeInput } from "./ready.js";

// Which languages may be detected is a question only where the language is detected.
const language = document.querySelector("#id_language");
const detected = document.querySelector("[data-detected]");
const showDetected = () => (detected.hidden = language.value !== "auto");
language.addEventListener("change", showDetected);
showDetected();

bindMenus([...document.querySelectorAll(".more-menu")].map(detailsMenu));
const list = document.querySelector("[data-states]");
if (list) new MeetingStates(list);
takeInput();
