/** The host's word on summaries: now, not now, or every so many minutes; and the newest one. */
import { offer, unfold } from "./folds.js";
import { gettext } from "./i18n.js";
import { SummaryView } from "./summary-view.js";

export class SummaryCard {
  /**
   * @param {HTMLElement} card holds the data-summary-… elements of templates/meetings/_summary_card.html
   * @param {import("./feed.js").CaptionFeed} feed @param {import("./socket.js").ReconnectingSocket} socket the host's
   */
  constructor(card, feed, socket) {
    this.socket = socket;
    this.card = card;
    for (const name of ["now", "later", "every", "answer"]) this[name] = card.querySelector(`[data-summary-${name}]`);
    this.controls = card.querySelector("[data-summary-controls]");
    this.view = new SummaryView(card, feed);
    this.state = "waiting";
    this.isConnected = false;
    /** Asked for, and not written yet. */
    this.isAsked = card.dataset.asked === "true";
    /** Why it is put off, in words; null: it is not. */
    this.trouble = null;
    this.isPutOff = false;
    this.isPossible = true;
    this.hasWords = this.hasSummary = false;
    /** Seconds as the server has them; empty: off. */
    this.saved = card.dataset.every;
    this.#offerInterval(this.saved);
    this.#listen(feed);
    this.#draw();
  }

  #listen(feed) {
    this.now.addEventListener("click", () => this.#ask());
    this.later.addEventListener("click", () => this.#putOff());
    this.every.addEventListener("change", () => this.#setInterval());
    this.socket.addEventListener("message", ({ detail }) => detail.type === "ledger" && this.#weigh(detail));
    feed.addEventListener("hello", () => this.#connected(true));
    for (const end of ["waiting", "closed"]) this.socket.addEventListener(end, () => this.#connected(false));
    feed.addEventListener("state", ({ detail }) => this.#follow(detail));
    feed.addEventListener("summary", ({ detail }) => this.#came(detail.isNews));
    feed.addEventListener("caption", () => this.hasWords || this.#heard());
    feed.addEventListener("error", ({ detail }) => detail.code === "nothing_new" && this.#answered(detail.message));
  }

  /** Before the first caption there is nothing to sum up. */
  #heard() {
    this.hasWords = true;
    this.#draw(this.answer.textContent);
  }

  #came(isNews) {
    this.hasSummary = true;
    if (isNews) offer(this.controls);
    if (isNews) this.#answered("");
    else this.#draw(this.answer.textContent);
  }

  #ask() {
    if (!this.#send({ type: "summarize" })) return;
    this.isAsked = true;
    this.isPutOff = false;
    this.#draw(gettext("The summary will be written at the next pause in speech."));
  }

  #putOff() {
    if (this.#send({ type: "not_now" })) this.#answered(gettext("No summary for the next five minutes."));
  }

  #setInterval() {
    const seconds = this.every.value === "" ? null : Number(this.every.value);
    if (this.#send({ type: "summary_every", seconds })) this.saved = this.every.value;
    else this.every.value = this.saved;
    this.#draw(this.answer.textContent);
  }

  /** @returns {boolean} whether it was handed over; where not, the host is told */
  #send(word) {
    const isSent = this.socket.send(word);
    this.answer.textContent = isSent ? "" : gettext("There is no connection: this was not saved.");
    return isSent;
  }

  /** Nothing is asked for any more. */
  #answered(sentence) {
    this.isAsked = false;
    this.#draw(sentence);
  }

  /** What is put off may be asked for again; what this server has no model for, not. */
  #weigh({ summary_trouble: trouble, retry_summary_s: retry }) {
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.isPutOff = trouble !== null;
    if (this.isPutOff) unfold(this.controls);
    this.isPossible = !this.isPutOff || retry !== null;
    this.#draw(this.isPutOff ? "" : this.answer.textContent);
  }

  #connected(isConnected) {
    this.isConnected = isConnected;
    this.#draw(this.answer.textContent);
  }

  #follow(state) {
    this.state = state;
    this.#draw(state === "summarizing" ? "" : this.answer.textContent);
  }

  #draw(sentence = "") {
    const isWriting = this.state === "summarizing";
    this.controls.hidden = this.state === "ended";
    this.card.hidden = this.state === "ended" && !this.hasSummary;
    this.now.disabled = !this.hasWords || !this.isConnected || !this.isPossible || isWriting || (this.isAsked && !this.isPutOff);
    this.later.hidden = isWriting || !(this.isAsked || this.saved !== "");
    this.later.disabled = !this.isConnected;
    if (this.answer.textContent !== sentence) this.answer.textContent = sentence;
  }

  /** An interval that was set elsewhere may be none of those in the list. */
  #offerInterval(seconds) {
    const isListed = [...this.every.options].some(({ value }) => value === seconds);
    if (!isListed) this.every.append(new Option(gettext("Every {seconds} s", { seconds }), seconds));
    this.every.value = seconds;
  }
}
