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

  jump() {
    this.#setFollowing(true);
    this.#toEnd();
    this.scroller.focus({ preventScroll: true });
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#setFollowing(scrollHeight - scrollTop - clientHeight <= NEAR_END);
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
