/** How far this meeting was captured, on this device: after a crash it tells how much sound died with the page. */

const PREFIX = "parlance.captured.";

export class CapturedCount {
  /** @param {string} meeting @param {Storage} storage */
  constructor(meeting, storage = localStorage) {
    this.key = PREFIX + meeting;
    this.storage = storage;
  }

  /** @returns {number} the number of the first frame that an earlier page did not capture; 0 when there was none */
  read() {
    return Number(this.storage.getItem(this.key) ?? 0);
  }

  /** @param {number} nextFrame */
  write(nextFrame) {
    this.storage.setItem(this.key, String(nextFrame));
  }

  clear() {
    this.storage.removeItem(this.key);
  }
}
