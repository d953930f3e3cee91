/** The host page. */
import { Alarm } from "./alarm.js";
import { CapturedCount } from "./captured-count.js";
import { Corrections } from "./corrections.js";
import { CaptionFeed } from "./feed.js";
import { bindFolds, unfold } from "./folds.js";
import { FrameCipher, WrongKeyError } from "./frame-cipher.js";
import { FrameSender } from "./frame-sender.js";
import { FrameStore } from "./frame-store.js";
import { UnsavedFrames } from "./frames.js";
import { HostControls } from "./host-controls.js";
import { HostSession } from "./host-session.js";
import { gettext } from "./i18n.js";
import { Ledger, MISSING_SECONDS } from "./ledger.js";
import { LineDialog } from "./line-dialog.js";
import { takeInput } from "./ready.js";
import { bindSharing } from "./share.js";
import { ReconnectingSocket, socketUrl, TAKEN } from "./socket.js";
import { SpeakerCard } from "./speaker-card.js";
import { SpokenLanguage } from "./spoken-language.js";
import { SummaryCard } from "./summary-card.js";
import { SummarySchedule } from "./summary-schedule.js";
import { SummaryView } from "./summary-view.js";

const SESSION_KEY = "parlance.session";
/** Names this page, of which no copy has a socket: whoever comes back under this name has lost the one before. */
const PAGE = randomName();
/** A meeting that is gone has no more use for a microphone, either. */
const GONE = 4404;
/** What a host is told where readers are told to ask the host. */
const LAST_WORDS = {
  4401: gettext("This page may no longer host the meeting. Open it from your list of meetings, or sign in again."),
  [TAKEN]: gettext("Another page took over: this one has stopped listening."),
};
/** Worth a word to the host: less is always on its way. */
const UNSAVED_SECONDS = 2;
/** States of a meeting in which nobody is to be heard. */
const SILENT = ["waiting", "paused", "ended"];
/** Said by the page itself. The next `hello` takes it back. */
const CUT = {
  state: "cut",
  message: gettext("The connection is lost. What is said is kept in this page, and sent when it is back."),
};

const page = document.querySelector("[data-host]");
const { meeting, token, joinToken, storageKey, worklet, ended, captionedS, missingS } = page.dataset;
const find = (name) => page.querySelector(`[data-${name}]`);

bindSharing(page);
bindFolds(page);
if (ended === "true") review();
else await host();
takeInput();

/** A meeting that is over is read like anybody reads it. What this browser kept of it can no longer be sent. */
function review() {
  openStore().then((store) => store?.clear());
  const socket = new ReconnectingSocket(() => readerUrl(feed.store.lastSeq));
  const feed = new CaptionFeed(socket, page, { isHost: true });
  new SummaryView(find("summary"), feed);
  tellOfSummary(feed);
  const captioned = Number(captionedS);
  new Ledger(find("ledger"), find("saved")).update({ durable_s: captioned, captioned_s: captioned, missing_s: Number(missingS) });
  tellMissing(Number(missingS));
  for (const name of ["controls", "speakers", "spoken", "summary", "summary-controls"]) find(name).hidden = true;
  feed.addEventListener("summary", () => {
    find("summary").hidden = false;
    unfold(find("summary-items"));
  });
  socket.connect();
}

async function host() {
  const alarm = new Alarm(find("alarm"));
  const store = await openStore();
  const frames = await restoredFrames(store, alarm);
  const claim = { takeover: false, goesOn: false, isOver: false };
  const socket = new ReconnectingSocket(
    () => (claim.isOver ? readerUrl : hostUrl)(feed.store.lastSeq, claim),
    LAST_WORDS,
  );
  const feed = new CaptionFeed(socket, page, { isHost: true, makeLabel: correctableLabel });
  const sender = new FrameSender(socket, frames, new CapturedCount(meeting));
  const session = new HostSession(socket, sender, worklet);
  session.addEventListener("state", ({ detail }) => detail === "ended" && store?.clear());
  const controls = new HostControls(page, session, alarm);
  takeCorrections(socket, feed);
  new SummaryCard(find("summary"), feed, socket);
  new SummarySchedule(find("summary"), feed, socket);
  tellOfSummary(feed);
  showSound(socket, feed, sender);
  tellOfCuts(socket, feed, session);
  raiseAlarms(sender, session, alarm);
  followMeeting(socket, feed, session, alarm, controls);
  readOn(socket, claim);
  offerTakeover(socket, feed, claim, alarm, controls);
  window.addEventListener("beforeunload", (event) => {
    if (frames.seconds >= UNSAVED_SECONDS || session.state === "capturing") event.preventDefault();
  });
  socket.connect();
}

function hostUrl(after, { takeover }) {
  const parameters = { token, session: tabSession(), page: PAGE, after };
  return socketUrl(`/ws/host/${meeting}/`, takeover ? { ...parameters, takeover: "1" } : parameters);
}

function readerUrl(after) {
  return socketUrl(`/ws/captions/${meeting}/`, { token: joinToken, after });
}

/** After the end a host reads like anybody: the last summary is still to come. */
function readOn(socket, claim) {
  socket.addEventListener("closed", ({ detail }) => {
    if (!detail.isEnd || claim.isOver) return;
    claim.isOver = true;
    socket.connect();
  });
}

function tellOfSummary(feed) {
  feed.addEventListener("summary-due", ({ detail }) => (find("summary-due").textContent = detail));
}

/** Ends with the meeting, and stops listening where the server will have no more of it. */
function followMeeting(socket, feed, session, alarm, controls) {
  function finish() {
    if (session.state === "ended") return;
    alarm.clearAll();
    if (session.sender.frames.length > 0) alarm.raise("lost");
    session.finish();
  }
  // The server closes the socket itself, after the last captions.
  feed.addEventListener("state", ({ detail }) => {
    controls.follow(detail);
    if (detail === "ended") finish();
  });
  socket.addEventListener("closed", ({ detail }) => {
    if (detail.isEnd || detail.code === GONE) {
      finish();
      return;
    }
    controls.allowStart(false);
    if (session.state !== "idle" || detail.code !== TAKEN) alarm.raise("closed", detail.message);
    session.abandon();
  });
}

function offerTakeover(socket, feed, claim, alarm, controls) {
  const standBack = (isElsewhere) => {
    find("elsewhere").hidden = !isElsewhere;
    controls.standBack(isElsewhere);
  };
  socket.addEventListener("closed", ({ detail }) => standBack(detail.code === TAKEN));
  find("takeover").addEventListener("click", () => {
    claim.takeover = claim.goesOn = true;
    alarm.clear("closed");
    controls.allowStart(true);
    standBack(false);
    find("start").focus();
    socket.connect();
  });
  // Once is enough: a page that comes back later must not push out whoever took over meanwhile.
  socket.addEventListener("message", ({ detail }) => detail.type === "ready" && (claim.takeover = false));
  // Whoever takes over is heard from now on: the click allows it, as at the start.
  feed.addEventListener("hello", ({ detail }) => {
    if (claim.goesOn && !SILENT.includes(detail.state)) controls.goOn();
    claim.goesOn = false;
  });
}

function tellOfCuts(socket, feed, session) {
  socket.addEventListener("waiting", () => {
    if (session.state === "capturing" && !socket.isBlocked) feed.banner.show(CUT);
  });
}

/** What the host knows better than the models. */
function takeCorrections(socket, feed) {
  const corrections = new Corrections(socket, feed, find("speaker-answer"));
  new SpeakerCard(find("speakers"), feed, corrections);
  new LineDialog(find("lines"), find("captions"), feed, corrections);
  const spoken = new SpokenLanguage(find("spoken"), corrections);
  socket.addEventListener("message", ({ detail }) => detail.type === "ledger" && spoken.update(detail));
  feed.addEventListener("state", ({ detail }) => {
    if (detail === "ended") for (const name of ["speakers", "spoken"]) find(name).hidden = true;
  });
}

function correctableLabel() {
  const label = document.createElement("button");
  label.type = "button";
  label.title = gettext("Say who said it");
  return label;
}

function tellMissing(seconds) {
  if (seconds < MISSING_SECONDS) return;
  find("complete").textContent = gettext("The transcript has all that was captured; {seconds} s are missing.", {
    seconds: Math.round(seconds),
  });
}

function showSound(socket, feed, sender) {
  const ledger = new Ledger(find("ledger"), find("saved"));
  feed.addEventListener("state", ({ detail }) => ledger.follow(detail));
  socket.addEventListener("message", ({ detail }) => {
    if (detail.type !== "ledger") return;
    ledger.update(detail);
    tellMissing(detail.missing_s);
  });
  sender.addEventListener("change", () => {
    ledger.setCaptured(sender.capturedSeconds);
    const { seconds } = sender.frames;
    const isWorthSaying = seconds >= UNSAVED_SECONDS;
    find("unsaved").textContent = isWorthSaying
      ? gettext("{seconds} s are kept in this page until the server has them.", { seconds: Math.round(seconds) })
      : "";
  });
}

function raiseAlarms(sender, session, alarm) {
  sender.addEventListener("lost", () => alarm.raise("lost"));
  sender.addEventListener("storage-failed", () => alarm.raise("storage"));
  session.addEventListener("trouble", ({ detail }) => alarm.raise(detail));
  session.addEventListener("relief", ({ detail }) => alarm.clear(detail));
  session.addEventListener("stopped", ({ detail }) => {
    alarm.clear("ended");
    alarm.raise("refused", detail);
  });
  session.addEventListener("state", ({ detail }) => {
    if (detail === "interrupted") return;
    for (const reason of ["ended", "refused"]) alarm.clear(reason);
  });
}

/** What does not open stays as it is until the meeting ends: this page writes nothing behind it. */
async function restoredFrames(store, alarm) {
  const frames = new UnsavedFrames(store);
  try {
    await frames.restore();
    return frames;
  } catch (error) {
    if (!(error instanceof WrongKeyError)) throw error;
    alarm.raise("sealed");
    return new UnsavedFrames(null);
  }
}

/** Private windows of some browsers have no storage: frames then live in memory only. */
async function openStore() {
  // Without TLS there is nothing to encrypt with, and no microphone either.
  if (!isSecureContext) return null;
  const cipher = await FrameCipher.of(storageKey, meeting);
  try {
    return await FrameStore.open(meeting, cipher);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/**
 * Names this tab to the server, so that after a reload it comes back at once and is not taken for another host.
 * A duplicated tab has the same name, as its storage is copied; `PAGE` tells the two apart.
 */
function tabSession() {
  const stored = sessionStorage.getItem(SESSION_KEY);
  if (stored !== null) return stored;
  const made = randomName();
  sessionStorage.setItem(SESSION_KEY, made);
  return made;
}

function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
