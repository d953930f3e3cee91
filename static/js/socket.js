/** A WebSocket that comes back: full-jitter backoff, and close codes that mean "do not try again". */
import { gettext, interfaceLanguage } from "./i18n.js";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A server that accepts and says nothing for this long is taken for gone. */
const OPENING_TIMEOUT_MS = 10_000;
/** The server says something every ten seconds (`tick`): a link that is silent for longer is dead. */
const SILENCE_MS = 20_000;
const WATCH_MS = 1_000;
const PROBE_TIMEOUT_MS = 5_000;
/** Of the installation, without a slash at its end: this file is `static/js/socket.js` in it. */
const BASE_PATH = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** How the server closes a host's socket when the meeting is over. */
export const OVER = 1000;
/** Another page hosts the meeting. */
export const TAKEN = 4409;
/** What the server's last word was, in the reader's words. Every other code (1006, 1011, 1012, …) is tried again. */
export const LAST_WORDS = {
  [OVER]: gettext("The meeting has ended."),
  4400: gettext("This page and the server do not understand each other. Reload the page."),
  4401: gettext("This link is no longer valid. Ask the host for a new one."),
  4404: gettext("This meeting no longer exists."),
  [TAKEN]: gettext("This meeting is being hosted from another page."),
  4413: gettext("The server refused the sound because its pieces were too large. Reload the page."),
};

/**
 * How long to wait before try number `attempt` (from 0): anything up to a doubling bound, so that a
 * thousand readers do not come back in the same instant ("full jitter", AWS Architecture Blog 2015).
 */
export function backoff(attempt, random = Math.random) {
  const bound = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return FIRST_DELAY_MS / 2 + random() * (bound - FIRST_DELAY_MS / 2);
}

/** The address of a socket beside this page; notices on it are in the page's language. */
export function socketUrl(path, parameters, place = window.location) {
  const scheme = place.protocol === "https:" ? "wss:" : "ws:";
  const query = new URLSearchParams({ ...parameters, ui: interfaceLanguage });
  return `${scheme}//${place.host}${BASE_PATH}${path}?${query}`;
}

async function answersOverHttp() {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PROBE_TIMEOUT_MS);
  try {
    return (await fetch(`${BASE_PATH}/healthz`, { cache: "no-store", signal: limit.signal })).ok;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Events: "open"; "message" (detail: the parsed object); "waiting" (detail: milliseconds until the next try);
 * "blocked" when the server answers over HTTP and no link to it opens; "closed" (detail: {code, message, isEnd}) when it
 * will not try again; `isEnd`: because the meeting is over.
 */
export class ReconnectingSocket extends EventTarget {
  /**
   * @param {() => string} url asked for at every try, as it carries what was seen last
   * @param {Record<number, string>} lastWords where this page's reader needs others than the server's and `LAST_WORDS`
   */
  constructor(url, lastWords = {}) {
    super();
    this.url = url;
    this.lastWords = lastWords;
    this.socket = null;
    this.attempt = 0;
    this.timer = 0;
    /** Until the first `connect`, and after the last word. */
    this.stopped = true;
    /** By the clock, which goes on while a machine sleeps. */
    this.heardAt = 0;
    /** Of the last try: whether a link came of it, or it waited in vain. */
    this.hasOpened = this.hasHung = false;
    /** Whether the server answered over HTTP after the last try. */
    this.isReachable = false;
    this.isBlocked = false;
    /** What the server said was wrong before it closes. @type {{code: string, message: string}|null} */
    this.lastError = null;
    window.addEventListener("online", () => this.isOpen || this.#hurry());
    window.addEventListener("offline", () => this.retry());
    // A page that comes out of the browser's cache has lost its link, and may not have been told.
    window.addEventListener("pageshow", (event) => event.persisted && this.#hurry());
    // Timers of a hidden page run late, and those of a sleeping machine not at all.
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
    setInterval(() => this.#watch(), WATCH_MS);
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    clearTimeout(this.timer);
    this.stopped = false;
    this.lastError = null;
    const previous = this.socket;
    const socket = new WebSocket(this.url());
    this.socket = socket;
    previous?.close();
    this.hasOpened = this.hasHung = false;
    const opening = setTimeout(() => {
      this.hasHung ||= this.socket === socket;
      socket.close();
    }, OPENING_TIMEOUT_MS);
    socket.addEventListener("open", () => {
      clearTimeout(opening);
      if (this.socket === socket) this.#opened();
    });
    socket.addEventListener("message", (event) => this.#received(socket, event.data));
    socket.addEventListener("close", (event) => {
      clearTimeout(opening);
      if (this.socket === socket) this.#closed(event.code);
    });
  }

  /** @param {object} message @returns {boolean} whether it was handed over */
  send(message) {
    return this.sendBytes(JSON.stringify(message));
  }

  /** @param {string|ArrayBuffer} data */
  sendBytes(data) {
    if (!this.isOpen) return false;
    this.socket.send(data);
    return true;
  }

  /** Gives the present connection up, without waiting for its end to be noticed, and comes back. */
  retry() {
    const dead = this.socket;
    if (this.stopped || dead === null) return;
    this.socket = null;
    dead.close();
    this.#closed(1006);
  }

  /** Closes for good. */
  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  #opened() {
    this.heardAt = Date.now();
    this.hasOpened = true;
    this.isReachable = this.isBlocked = false;
    this.#tell("open");
  }

  #received(socket, data) {
    if (this.socket !== socket) return;
    this.heardAt = Date.now();
    const message = JSON.parse(data);
    // Only a server that speaks is well again: one that accepts, and dies or says what is wrong, must not be hammered.
    if (message.type !== "error") this.attempt = 0;
    this.lastError = message.type === "error" ? message : null;
    this.#tell("message", message);
  }

  #closed(code) {
    if (this.stopped) return;
    if (code in LAST_WORDS) {
      this.stopped = true;
      const message = this.lastWords[code] ?? this.lastError?.message ?? LAST_WORDS[code];
      this.#tell("closed", { code, message, isEnd: code === OVER || this.lastError?.code === "ended" });
      return;
    }
    const delay = backoff(this.attempt);
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), delay);
    this.#tell("waiting", delay);
    if (!this.hasOpened) this.#askNetwork();
  }

  /** A server that restarts refuses one link, and answers a moment later. It does not refuse the next one, too. */
  async #askNetwork() {
    const isCertain = this.isReachable || this.hasHung;
    this.isReachable = await answersOverHttp();
    if (this.stopped || this.hasOpened) return;
    this.isBlocked = this.isReachable && isCertain;
    if (this.isBlocked) this.#tell("blocked");
  }

  #watch() {
    // A clock that was set says nothing either way: then once too often.
    if (this.isOpen && Math.abs(Date.now() - this.heardAt) > SILENCE_MS) this.retry();
  }

  #look() {
    this.#watch();
    const isTrying = this.socket?.readyState === WebSocket.CONNECTING;
    if (!this.isOpen && !isTrying) this.#hurry();
  }

  #hurry() {
    if (this.stopped) return;
    this.attempt = 0;
    this.connect();
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
