/** What the host knows better than the models, on its way to the server; says where it was not taken. */
import { unfold } from "./folds.js";
import { gettext } from "./i18n.js";

/** Events: "refused" when what the page shows of it is not what is stored. */
export class Corrections extends EventTarget {
  /**
   * @param {import("./socket.js").ReconnectingSocket} socket the host's
   * @param {import("./feed.js").CaptionFeed} feed
   * @param {HTMLElement} answer role="status"
   */
  constructor(socket, feed, answer) {
    super();
    this.socket = socket;
    this.answer = answer;
    /** After the meeting there is no host's socket to take them. */
    this.isOpen = true;
    feed.addEventListener("error", ({ detail }) => detail.code === "unfit_correction" && this.#refused(detail.message));
    feed.addEventListener("state", ({ detail }) => (this.isOpen = detail !== "ended"));
  }

  /** @param {object} correction a message of the contract */
  send(correction) {
    if (this.socket.send(correction)) this.answer.textContent = "";
    else this.#refused(gettext("There is no connection: this was not saved."));
  }

  #refused(sentence) {
    unfold(this.answer);
    this.answer.textContent = sentence;
    this.dispatchEvent(new CustomEvent("refused"));
  }
}
