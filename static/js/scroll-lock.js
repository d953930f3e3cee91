/**
 * Keeps the newest line in sight until the reader scrolls up; then counts what is new and keeps the line that is read in
 * its place, whatever changes above it or around it. The browser's own anchoring would pull against the first, and
 * WebKit has none.
 */
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
    /** The first line that the reader sees, and where on the page it stands; null while the newest is followed. */
    this.place = null;
    /** Room above the first line, in CSS pixels, where what stood there before is gone and there is nothing to scroll. */
    this.room = 0;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    button.addEventListener("click", () => this.jump());
    const sizes = new ResizeObserver(() => this.follow());
    for (const element of [scroller, ...scroller.children]) sizes.observe(element);
  }

  /** Call after the text or the layout changed. @param {number} added finals among what is new */
  follow(added = 0) {
    if (!this.isFollowing) {
      this.unread += added;
      this.#label();
      this.#keepPlace();
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
    this.#notePlace();
  }

  jump() {
    this.#setFollowing(true);
    this.#toEnd();
    this.scroller.focus({ preventScroll: true });
  }

  #notePlace() {
    const line = this.isFollowing ? null : this.#firstLine();
    this.place = line && { segment: line.dataset.segment, top: line.getBoundingClientRect().top };
  }

  #keepPlace() {
    const line = this.place && this.scroller.querySelector(`[data-segment="${CSS.escape(this.place.segment)}"]`);
    // The reader has scrolled, and the event that tells it is still to come.
    const hasMoved = this.scroller.scrollTop !== this.top;
    if (!line || hasMoved) return this.#notePlace();
    this.scroller.scrollTop += line.getBoundingClientRect().top - this.place.top;
    const missing = this.place.top - line.getBoundingClientRect().top;
    if (missing >= 1) this.#setRoom(this.room + missing);
    this.top = this.scroller.scrollTop;
  }

  #setRoom(room) {
    if (room === this.room) return;
    this.room = room;
    this.scroller.style.setProperty("--room-above", `${room}px`);
  }

  /** By halving: a day of text has thousands of lines. */
  #firstLine() {
    const { top } = this.scroller.getBoundingClientRect();
    const lines = this.scroller.querySelectorAll("[data-segment]");
    let [first, end] = [0, lines.length];
    while (first < end) {
      const middle = (first + end) >> 1;
      if (lines[middle].getBoundingClientRect().bottom > top) end = middle;
      else first = middle + 1;
    }
    return lines[first] ?? null;
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  #scrolled() {
    if (this.scroller.scrollTop === this.top) return;
    const isUp = this.scroller.scrollTop < this.top;
    this.top = this.scroller.scrollTop;
    // Far from the end without having gone up: the text has grown since, and the reader did nothing.
    if (this.#isAtEnd()) this.#setFollowing(true);
    else if (isUp) this.#setFollowing(false);
    this.#notePlace();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight <= NEAR_END;
  }

  #setFollowing(isFollowing) {
    if (isFollowing === this.isFollowing) return;
    this.isFollowing = isFollowing;
    this.unread = 0;
    if (isFollowing) this.#setRoom(0);
    this.#label();
  }

  #label() {
    this.button.hidden = this.isFollowing;
    this.button.textContent = this.unread > 0 ? gettext("Jump to live ({count} new)", { count: this.unread }) : gettext("Jump to live");
  }
}
