/** The viewers' panel with the newest summary. It opens when asked to, so that nothing moves what is being read; a mark says what is new. */
import { SummaryView } from "./summary-view.js";

export class SummaryPanel {
  /**
   * @param {Document|HTMLElement} page holds the data-summary-… elements of templates/meetings/viewer.html
   * @param {import("./feed.js").CaptionFeed} feed
   */
  constructor(page, feed) {
    this.panel = page.querySelector("[data-summary]");
    this.scroll = feed.scroll;
    this.toggle = page.querySelector("[data-summary-toggle]");
    this.mark = page.querySelector("[data-summary-mark]");
    /** Id of the summary that the reader has had open last. */
    this.read = null;
    this.newest = null;
    this.view = new SummaryView(page, feed);
    this.toggle.addEventListener("click", () => this.#open(this.panel.hidden));
    page.querySelector("[data-summary-close]").addEventListener("click", () => this.#open(false));
    feed.addEventListener("summary", ({ detail }) => this.#came(detail.summary));
  }

  #came({ id }) {
    this.newest = id;
    this.toggle.hidden = false;
    this.#markNews();
  }

  #open(isOpen) {
    this.panel.hidden = !isOpen;
    this.scroll.follow();
    this.toggle.setAttribute("aria-expanded", String(isOpen));
    this.#markNews();
    (isOpen ? this.panel : this.toggle).focus({ preventScroll: true });
  }

  #markNews() {
    if (!this.panel.hidden) this.read = this.newest;
    this.mark.hidden = this.read === this.newest;
  }
}
