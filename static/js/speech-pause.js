/** Notices that nobody has spoken for a while. */

/** Events: "change" when `isOn` does. */
export class SpeechPause extends EventTarget {
  /** @param {import("./feed.js").CaptionFeed} feed @param {number} ms after which a silence is a pause */
  constructor(feed, ms) {
    super();
    this.ms = ms;
    this.isOn = false;
    this.timer = 0;
    feed.addEventListener("words", () => this.#restart());
    // Whoever was away, paused or writing a summary begins anew.
    feed.addEventListener("state", () => this.#restart());
  }

  #restart() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#set(true), this.ms);
    this.#set(false);
  }

  #set(isOn) {
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.dispatchEvent(new CustomEvent("change"));
  }
}
