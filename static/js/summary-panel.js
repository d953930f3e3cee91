/** The viewers' panel with the newest summary: open beside the captions where there is room, else behind a button. */
import { SummaryView } from "./summary-view.js";

/** As in static/css/viewer.css: from here on both fit beside each other. */
const ROOM_FOR_BOTH = "(min-width: 60rem)";

export class SummaryPanel {
  /**
   * @param {HTMLElement} place holds the data-summary-… elements of templates/meetings/_summary_panel.html
   * @param {import("./feed.js").CaptionFeed} feed
   */
  constructor(place, feed) {
    this.panel = place.querySelector("[data-summary-panel]");
    this.scroll = feed.scroll;
    this.toggle = place.querySelector("[data-summary-toggle]");
    this.body = place.querySelector("[data-summary-body]");
    this.mark = place.querySelector("[data-summary-mark]");
    /** Id of the summary that the reader has had open last. */
    this.read = null;
    this.newest = null;
    this.view = new SummaryView(place, feed);
    this.toggle.addEventListener("click", () => this.#open(this.body.hidden));
    feed.addEventListener("summary", ({ detail }) => this.#came(detail.summary));
  }

  #came({ id }) {
    this.newest = id;
    if (this.panel.hidden) this.#appear();
    else this.#markNews();
  }

  #appear() {
    this.panel.hidden = false;
    this.#open(window.matchMedia(ROOM_FOR_BOTH).matches);
  }

  #open(isOpen) {
    this.body.hidden = !isOpen;
    this.panel.dataset.open = String(isOpen);
    this.scroll.follow();
    this.toggle.setAttribute("aria-expanded", String(isOpen));
    this.#markNews();
  }

  #markNews() {
    if (!this.body.hidden) this.read = this.newest;
    this.mark.hidden = this.read === this.newest;
  }
}
