/** What people are told: the connection, the meeting's state, and a pause with the seconds it is expected to take. */

const STATE_WORDS = {
  waiting: "Waiting for the host",
  live: "Live",
  paused: "Paused",
  summarizing: "Writing a summary",
  catching_up: "Catching up",
  degraded: "Captions are limited",
  ended: "Meeting ended",
};
const COUNT_MS = 1_000;
/** Seconds behind below which nobody notices. */
const WORTH_TELLING = 3;

/** The short word in the bar: the connection's trouble, or else the meeting's state. */
export class ConnectionStatus {
  /** @param {HTMLElement} element @param {import("./socket.js").ReturningSocket} socket */
  constructor(element, socket) {
    this.element = element;
    this.state = "waiting";
    socket.addEventListener("open", () => this.#show(this.state, STATE_WORDS[this.state]));
    socket.addEventListener("waiting", () => this.#show("cut", "Connection lost, trying again…"));
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
    this.count.textContent = notice.behind_s >= WORTH_TELLING ? `${Math.round(notice.behind_s)} s behind` : "";
    if (!isOver && notice.expected_s) this.#countDown(notice.expected_s);
  }

  #countDown(seconds) {
    const end = performance.now() + seconds * 1_000;
    const draw = () => {
      const left = Math.ceil((end - performance.now()) / 1_000);
      this.count.textContent = left > 0 ? `about ${left} s` : "any moment now";
    };
    draw();
    this.timer = setInterval(draw, COUNT_MS);
  }
}
