/** What people are told: the connection, the meeting's state, and a pause with the seconds it is expected to take. */
import { gettext } from "./i18n.js";

const STATE_WORDS = {
  waiting: gettext("Waiting for the host"),
  live: gettext("Live"),
  paused: gettext("Paused"),
  summarizing: gettext("Writing a summary"),
  catching_up: gettext("Catching up"),
  degraded: gettext("Captions are limited"),
  ended: gettext("Meeting ended"),
  host_away: gettext("Host not connected"),
  blocked: gettext("Blocked by the network"),
};
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

/** The short word in the bar: the connection's trouble, or else the meeting's state. */
export class ConnectionStatus {
  /** @param {HTMLElement} element @param {import("./socket.js").ReconnectingSocket} socket */
  constructor(element, socket) {
    this.element = element;
    this.state = "waiting";
    socket.addEventListener("open", () => this.#show(this.state, STATE_WORDS[this.state]));
    socket.addEventListener("waiting", () => {
      if (!socket.isBlocked) this.#show("cut", gettext("Connection lost, trying again…"));
    });
    socket.addEventListener("blocked", () => this.#show("blocked", STATE_WORDS.blocked));
    socket.addEventListener("closed", ({ detail }) => this.#show("closed", detail.message));
  }

  /** @param {string} state of the meeting, as on the wire */
  setMeetingState(state) {
    this.state = state;
    this.#show(state, STATE_WORDS[state] ?? state);
  }

  #show(state, words) {
    this.element.dataset.state = state;
    if (this.element.textContent !== words) this.element.textContent = words;
  }
}

/** The banner. Its count is not announced: a screen reader would say every second. */
export class NoticeBanner {
  /** @param {HTMLElement} element holds [data-notice-text] and [data-notice-count] */
  constructor(element) {
    this.element = element;
    this.text = element.querySelector("[data-notice-text]");
    this.count = element.querySelector("[data-notice-count]");
    this.timer = 0;
  }

  /** @param {{state: string, message?: string, expected_s?: number|null, behind_s?: number|null}} notice */
  show(notice) {
    clearInterval(this.timer);
    this.element.dataset.state = notice.state;
    const isOver = notice.state === "live" && !(notice.behind_s >= WORTH_TELLING);
    this.element.hidden = isOver || notice.state === "waiting";
    this.text.textContent = isOver ? "" : notice.message || (STATE_WORDS[notice.state] ?? "");
    const isBehind = notice.behind_s >= WORTH_TELLING;
    this.count.textContent = isBehind ? gettext("{seconds} s behind", { seconds: Math.round(notice.behind_s) }) : "";
    if (!isOver && notice.expected_s) this.#countDown(notice.expected_s);
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
