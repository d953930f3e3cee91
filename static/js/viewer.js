/** The viewer page. */
import { Announcer } from "./announcer.js";
import { Appearance } from "./appearance.js";
import { CaptionFeed } from "./feed.js";
import { gettext } from "./i18n.js";
import { LanguageMenu } from "./language-menu.js";
import { bindBar } from "./menus.js";
import { Overlay } from "./overlay.js";
import { takeInput } from "./ready.js";
import { ReconnectingSocket, socketUrl } from "./socket.js";
import { SummaryPanel } from "./summary-panel.js";

/** A projector's overlay shows the end of the text only. */
const OVERLAY_CAPTIONS = 8;

const { meeting, token } = document.querySelector("[data-meeting]").dataset;
const isOverlay = document.body.classList.contains("overlay");
const query = new URLSearchParams(window.location.search);

const socket = new ReconnectingSocket(() =>
  socketUrl(`/ws/captions/${meeting}/`, { token, lang: languages.chosen, after: feed.store.lastSeq }),
);
const languages = new LanguageMenu(document.querySelector("[data-language]"), socket, query.get("lang"));
const feed = new CaptionFeed(socket, document, isOverlay ? { newest: OVERLAY_CAPTIONS } : {});
const announcer = new Announcer(document.querySelector("[data-announcements]"), feed.speakers);
const appearance = new Appearance(query, isOverlay ? { theme: "dark" } : {});
if (isOverlay) new Overlay(document, feed);
if (!isOverlay) new SummaryPanel(document, feed);
const original = document.querySelector("[data-show-original]");

function applyChoices(values) {
  feed.showPartials(values.mode === "fastest");
  announcer.turn(values.announce);
  original.setAttribute("aria-pressed", String(values.original));
  feed.scroll.follow();
}

function readIn(language) {
  feed.readIn(language);
  announcer.reading = language;
  original.hidden = language === "";
  for (const link of document.querySelectorAll("a[download], a[data-read]")) link.href = inLanguage(link.href, language);
}

feed.addEventListener("final", ({ detail }) => announcer.say(detail));
feed.addEventListener("caption", ({ detail }) => announcer.revise(detail));
feed.addEventListener("hello", ({ detail }) => languages.offer(detail.languages ?? [], detail.meeting.language));
feed.addEventListener("languages", ({ detail }) => languages.offer(detail.languages, detail.spoken));
feed.addEventListener("error", ({ detail }) => detail.code === "language_unavailable" && languages.refuse(detail.message));
languages.addEventListener("change", ({ detail }) => readIn(detail));
original.addEventListener("click", () => appearance.set("original", !appearance.values.original));
appearance.addEventListener("change", ({ detail }) => applyChoices(detail));
appearance.bind(document.querySelector("[data-appearance]"));
applyChoices(appearance.values);
if (query.get("background") === "transparent") document.documentElement.dataset.background = "transparent";

const fullscreen = document.querySelector("[data-fullscreen]");
fullscreen.hidden = !document.fullscreenEnabled;
fullscreen.addEventListener("click", () =>
  document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
);
document.addEventListener("fullscreenchange", () => {
  fullscreen.textContent = document.fullscreenElement ? gettext("Leave full screen") : gettext("Full screen");
});
bindBar(document.querySelector(".bar"));

takeInput();
socket.connect();

/** What is downloaded is what is read. */
function inLanguage(address, language) {
  const url = new URL(address);
  if (language === "") url.searchParams.delete("lang");
  else url.searchParams.set("lang", language);
  return url.href;
}
