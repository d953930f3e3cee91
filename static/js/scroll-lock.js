/** Keeps the newest line in sight until the reader scrolls up; then counts what is new instead of moving the text. */
import { gettext } from "./i18n.js";

/** Distance from the end, in CSS pixels, that still counts as "at the end". */
const NEAR_END = 48;

export class ScrollLock {
  /** @param {HTMLElement} scroller @param {HTMLButtonElement} button leads back to the end */
  constructor(scroller, button) {
    this.scroller = scroller;
    this.button = button;
    this.isFollowing = true;
    this.unread = 0;
    this.frame = 0;
    /** Where the text stood last, in CSS pixels. */
    this.top = 0;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.jump());
    new ResizeObserver(() => this.follow()).observe(scroller);
  }

  /** Call after the text grew. @param {number} added finals among what is new */
  follow(added = 0) {
    if (!this.isFollowing) {
      this.unread += added;
      this.#label();
      return;
    }
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.#toEnd());
  }

  /** Leads to a line; from there on the reader is the one who scrolls. @param {HTMLElement} line */
  show(line) {
    cancelAnimationFrame(this.frame);
    // At once: gliding over an hour of text helps nobody, and new text would pull against it.
    line.scrollIntoView({ block: "center", behavior: "instant" });
    this.top = this.scroller.scrollTop;
    this.#setFollowing(this.#isAtEnd());
  }

  /** Changes the page's layout and leaves the line that is read first where it is. @param {() => void} change */
  hold(change) {
    const line = this.isFollowing ? null : this.#firstLine();
    const before = line?.getBoundingClientRect().top;
    change();
    if (line) this.scroller.scrollTop += line.getBoundingClientRect().top - before;
    this.follow();
  }

  jump() {
    this.#setFollowing(true);
    this.#toEnd();
    this.scroller.focus({ preventScroll: true });
  }

  #firstLine() {
    const { top } = this.scroller.getBoundingClientRect();
    const lines = [...this.scroller.querySelectorAll("[data-segment]")];
    return lines.find((line) => line.getBoundingClientRect().bottom > top) ?? null;
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  #scrolled() {
    const isUp = this.scroller.scrollTop < this.top;
    this.top = this.scroller.scrollTop;
    // Far from the end without having gone up: the text has grown since, and the reader did nothing.
    if (this.#isAtEnd()) this.#setFollowing(true);
    else if (isUp) this.#setFollowing(false);
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight <= NEAR_END;
  }

  #setFollowing(isFollowing) {
    if (isFollowing === this.isFollowing) return;
    this.isFollowing = isFollowing;
    this.unread = 0;
    this.#label();
  }

  #label() {
    this.button.hidden = this.isFollowing;
    this.button.textContent = this.unread > 0 ? gettext("Jump to live ({count} new)", { count: this.unread }) : gettext("Jump to live");
  }
}
