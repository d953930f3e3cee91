/** The list of meetings and the form above it. */

for (const form of document.querySelectorAll("form[data-confirm]")) {
  // Asks before a form that cannot be undone is sent.
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

// Which languages may be detected is a question only where the language is detected.
const language = document.querySelector("#id_language");
const detected = document.querySelector("[data-detected]");
const showDetected = () => (detected.hidden = language.value !== "auto");
language.addEventListener("change", showDetected);
showDetected();
