/** Keeps the screen on while the meeting is captured: a phone that sleeps stops listening. */

export class WakeLock {
  #wanted = false;
  #lock = null;

  constructor() {
    // The system takes the lock away whenever the page is hidden.
    document.addEventListener("visibilitychange", () => this.#update());
  }

  hold() {
    this.#wanted = true;
    return this.#update();
  }

  release() {
    this.#wanted = false;
    return this.#update();
  }

  async #update() {
    if (!this.#wanted) {
      await this.#lock?.release();
      this.#lock = null;
      return;
    }
    if (document.hidden || !navigator.wakeLock || (this.#lock && !this.#lock.released)) return;
    try {
      this.#lock = await navigator.wakeLock.request("screen");
    } catch (error) {
      // A low battery may refuse it; captions go on.
      if (!(error instanceof DOMException)) throw error;
    }
  }
}
