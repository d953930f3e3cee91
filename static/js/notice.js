/** What people are told: the connection, the meeting's state, and a pause with the seconds it is expected to take. */
import { gettext } from "./i18n.js";
import { LAST_WORDS, OVER, TAKEN } from "./socket.js";

const STATE_WORDS = {
  waiting: gettext("Waiting for the host"),
  live: gettext("Live"),
  paused: gettext("Paused"),
  summarizing: gettext("Writing a summary"),
  catching_up: gettext("Catching up"),
  degraded: gettext("Captions are limited"),
  ended: gettext("Ended"),
  host_away: gettext("Host not connected"),
  blocked: gettext("Blocked by the network"),
  cut: gettext("Connection lost, trying again…"),
  closed: gettext("Not connected"),
  elsewhere: gettext("Hosted from another page"),
};
/** Hosts read of themselves what they can do. */
const HOST_WORDS = { ...STATE_WORDS, waiting: gettext("Ready to start") };
/** States of which the host page tells beside its own buttons. */
const TOLD_ELSEWHERE = ["paused", "closed", "ended"];
const ENDED = LAST_WORDS[OVER];
/** Said by the page itself. The next `hello` takes it back. */
export const BLOCKED = {
  state: "blocked",
  message: gettext(
    "Your network blocks live connections. Try another network, such as mobile data, or ask whoever runs it to allow WebSockets.",
  ),
};
const COUNT_MS = 1_000;
/** Seconds behind below which nobody notices. */
const WORTH_TELLING = 3;

/** The short word in the bar: the connection's trouble, or else the meeting's state. After the end there is no trouble. */
export class ConnectionStatus {
  /**
   * @param {HTMLElement} element @param {import("./socket.js").ReconnectingSocket} socket
   * @param {boolean} isHost
   */
  constructor(element, socket, isHost) {
    this.element = element;
    this.words = isHost ? HOST_WORDS : STATE_WORDS;
    this.state = "waiting";
    socket.addEventListener("open", () => this.#show(this.state));
    socket.addEventListener("waiting", () => socket.isBlocked || this.#showTrouble("cut"));
    socket.addEventListener("blocked", () => this.#showTrouble("blocked"));
    socket.addEventListener("closed", ({ detail }) => this.#showTrouble(detail.code === TAKEN ? "elsewhere" : "closed"));
  }

  /** @param {string} state of the meeting, as on the wire */
  setMeetingState(state) {
    this.state = state;
    this.#show(state);
  }

  #showTrouble(state) {
    if (this.state !== "ended") this.#show(state);
  }

  #show(state) {
    const words = this.words[state] ?? state;
    this.element.dataset.state = state;
    if (this.element.textContent !== words) this.element.textContent = words;
  }
}

/** The banner. Its count is not announced: a screen reader would say every second. */
export class NoticeBanner {
  /** @param {HTMLElement} element holds [data-notice-text], [data-notice-count] and [data-notice-ways] @param {boolean} isHost */
  constructor(element, isHost) {
    this.element = element;
    this.isHost = isHost;
    this.text = element.querySelector("[data-notice-text]");
    this.count = element.querySelector("[data-notice-count]");
    /** Where a reader can go after the end. */
    this.ways = element.querySelector("[data-notice-ways]");
    this.timer = 0;
  }

  /** @param {{state: string, message?: string, expected_s?: number|null, behind_s?: number|null}} notice */
  show(notice) {
    clearInterval(this.timer);
    this.element.dataset.state = notice.state;
    const isOver = notice.state === "live" && !(notice.behind_s >= WORTH_TELLING);
    this.element.hidden = isOver || notice.state === "waiting" || (this.isHost && TOLD_ELSEWHERE.includes(notice.state));
    this.#write(isOver ? "" : notice.message || (STATE_WORDS[notice.state] ?? ""));
    if (this.ways) this.ways.hidden = notice.state !== "ended";
    const isBehind = notice.behind_s >= WORTH_TELLING;
    this.count.textContent = isBehind ? gettext("{seconds} s behind", { seconds: Math.round(notice.behind_s) }) : "";
    if (!isOver && notice.expected_s) this.#countDown(notice.expected_s);
  }

  /** @param {string} summary what there is to say of the last summary; empty: it is written, or none is due */
  showEnd(summary) {
    this.show({ state: "ended", message: `${ENDED} ${summary}`.trimEnd() });
  }

  #write(text) {
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  #countDown(seconds) {
    const end = performance.now() + seconds * 1_000;
    const draw = () => {
      const left = Math.ceil((end - performance.now()) / 1_000);
      this.count.textContent = left > 0 ? gettext("about {seconds} s", { seconds: left }) : gettext("any moment now");
    };
    draw();
    this.timer = setInterval(draw, COUNT_MS);
  }
}
