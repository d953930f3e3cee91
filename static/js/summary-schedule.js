/**
 * When the next summary is due, and why one is put off. Only the reason is announced: of what is counted a screen reader
 * would say every second.
 */
import { gettext } from "./i18n.js";
import { clock } from "./transcript-view.js";

/** States in which nobody counts the seconds. */
const WITHOUT_NEXT = ["summarizing", "ended"];

export class SummarySchedule {
  /**
   * @param {HTMLElement} card holds the data-summary-… elements of templates/meetings/_summary_card.html
   * @param {import("./feed.js").CaptionFeed} feed @param {import("./socket.js").ReconnectingSocket} socket the host's
   */
  constructor(card, feed, socket) {
    this.trouble = card.querySelector("[data-summary-trouble]");
    this.next = card.querySelector("[data-summary-next]");
    this.state = "waiting";
    /** The server's last word; without a connection what it said of the future does not hold. */
    this.ledger = null;
    socket.addEventListener("message", ({ detail }) => detail.type === "ledger" && this.#take(detail));
    for (const end of ["waiting", "closed"]) socket.addEventListener(end, () => this.#take(null));
    feed.addEventListener("state", ({ detail }) => this.#follow(detail));
  }

  #take(ledger) {
    this.ledger = ledger;
    this.#draw();
  }

  #follow(state) {
    this.state = state;
    this.#draw();
  }

  #draw() {
    const ledger = WITHOUT_NEXT.includes(this.state) ? null : this.ledger;
    write(this.trouble, ledger?.summary_trouble ?? "");
    write(this.next, ledger === null ? "" : scheduleSentence(ledger));
  }
}

function scheduleSentence({ summary_trouble: trouble, retry_summary_s: retry, next_summary_s: next }) {
  if (trouble) return retry === null ? "" : retrySentence(retry);
  return next === null ? "" : nextSentence(next);
}

function retrySentence(seconds) {
  return seconds > 0 ? gettext("Tried again in {time}", { time: clock(seconds) }) : gettext("Tried again at the next pause.");
}

function nextSentence(seconds) {
  return seconds > 0
    ? gettext("Next summary in {time}", { time: clock(seconds) })
    : gettext("The next summary comes when something new was said.");
}

function write(line, text) {
  if (line.textContent !== text) line.textContent = text;
}
