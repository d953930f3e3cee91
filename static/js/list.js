/** The list of meetings and the form above it. */
import "./confirm.js";
import { takeInput } from "./ready.js";

// Which languages may be detected is a question only where the language is detected.
const language = document.querySelector("#id_language");
const detected = document.querySelector("[data-detected]");
const showDetected = () => (detected.hidden = language.value !== "auto");
language.addEventListener("change", showDetected);
showDetected();
takeInput();
