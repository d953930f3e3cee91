/** Keeps the operators' page up to date while nobody is busy in it. */
import "./confirm.js";
import { takeInput } from "./ready.js";

const REFRESH_MS = 10_000;
const content = () => document.querySelector("#content-main");

takeInput();
setInterval(() => isIdle() && refresh(), REFRESH_MS);

/** A page that changes under an open table, a focused button or a selection disturbs more than it tells. */
function isIdle() {
  const isRead = content().querySelector("details[open]") !== null || !getSelection().isCollapsed;
  return !document.hidden && !isRead && !content().contains(document.activeElement);
}

async function refresh() {
  try {
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("#content-main");
    if (fresh === null || !isIdle()) return;
    content().replaceWith(document.adoptNode(fresh));
    takeInput();
  } catch (error) {
    // Without a connection the page keeps its last state, and says of when that is.
    if (!(error instanceof TypeError)) throw error;
  }
}
