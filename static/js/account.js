/** The page of API tokens and webhooks: asks before one goes, and copies a new one. */
import { copyShown } from "./clipboard.js";
import "./confirm.js";
import { takeInput } from "./ready.js";

for (const secret of document.querySelectorAll("[data-secret]")) {
  const [text, answer] = ["secret-text", "copied"].map((name) => secret.querySelector(`[data-${name}]`));
  secret.querySelector("[data-copy]").addEventListener("click", () => copyShown(text, answer));
}
takeInput();
