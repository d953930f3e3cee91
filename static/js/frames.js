/**
 * The frames that the server has not yet confirmed. The order of capture gives each frame an id; its number on
 * the wire is `id + shift`. What stays unconfirmed goes to IndexedDB, encrypted, and leaves memory when it is long.
 */

export const FRAME_SECONDS = 0.1;
/** Frames kept in memory (60 s); what is behind them waits in the store. */
const MEMORY_FRAMES = 600;
/** Read back from the store at once. */
const READ_BATCH = 100;

export class UnsavedFrames {
  /** @param {?import("./frame-store.js").FrameStore} store null where the browser keeps nothing for us */
  constructor(store) {
    this.store = store;
    this.firstId = 0;
    /** Oldest first; null where only the store has the sound. @type {(ArrayBuffer|null)[]} */
    this.frames = [];
    /** The store holds the frames with ids from `storedFrom` up to, not with, `storedBefore`. */
    this.storedFrom = 0;
    this.storedBefore = 0;
    /** Frames with a smaller id were handed to a socket at least once. */
    this.sentBefore = 0;
    /** Number on the wire minus id; null until the server said where the meeting stands. */
    this.shift = null;
  }

  get length() {
    return this.frames.length;
  }

  get seconds() {
    return this.frames.length * FRAME_SECONDS;
  }

  get nextId() {
    return this.firstId + this.frames.length;
  }

  /** Takes over what an earlier page left behind. It may all have been sent. Rejects with WrongKeyError. */
  async restore() {
    const left = await this.store?.load();
    if (!left) return;
    this.firstId = left.firstId;
    this.frames = new Array(left.count).fill(null);
    this.shift = left.shift;
    this.storedFrom = this.firstId;
    this.storedBefore = this.nextId;
    this.sentBefore = this.nextId;
  }

  /** @param {ArrayBuffer} pcm */
  append(pcm) {
    this.store?.prepare(this.nextId, pcm);
    this.frames.push(pcm);
  }

  /**
   * The server waits for frame `nextFrame`: drops what it has, and numbers the rest from there.
   * @returns {number} frames that it had confirmed once and has no more: lost for good
   */
  resume(nextFrame) {
    const shift = this.shift ?? nextFrame - this.firstId;
    const held = nextFrame - shift;
    // Another page of this host wrote on: what was never sent cannot be among what the server has.
    this.#dropBefore(Math.min(Math.max(held, this.firstId), this.#maySent()));
    const lost = Math.max(0, this.firstId - held);
    this.#setShift(nextFrame - this.firstId);
    return lost;
  }

  /** Every frame up to number `frame` is durable. */
  acknowledge(frame) {
    this.#dropBefore(Math.min(frame - this.shift + 1, this.nextId));
  }

  /** The wire number of a frame. */
  numberOf(id) {
    return id + this.shift;
  }

  /** @returns {ArrayBuffer|null} the sound of an unconfirmed frame; null while only the store has it */
  peek(id) {
    return this.frames[id - this.firstId];
  }

  /** Brings a frame, and those after it, back from the store. */
  async fetch(id) {
    const batch = await this.store.fetch(id, READ_BATCH);
    batch.forEach((pcm, i) => {
      const index = id + i - this.firstId;
      if (index >= 0 && this.frames[index] === null) this.frames[index] = pcm;
    });
  }

  /** Everything before `id` was handed to a socket. */
  markSent(id) {
    this.sentBefore = Math.max(this.sentBefore, id);
  }

  /**
   * Writes what is not in the store yet, then forgets the sound of what is far from being sent.
   * Rejects with the store's DOMException when it is full; the frames then stay in memory.
   */
  async persist() {
    if (this.store === null) return;
    await this.tidy();
    const from = Math.max(this.storedBefore, this.firstId);
    const count = this.nextId - from;
    if (count === 0) return;
    await this.store.append(from, count, this.shift);
    if (this.storedFrom === this.storedBefore) this.storedFrom = from;
    this.storedBefore = from + count;
    const end = Math.min(this.storedBefore - this.firstId, this.frames.length);
    for (let i = MEMORY_FRAMES; i < end; i += 1) this.frames[i] = null;
  }

  /** Takes confirmed frames out of the store. Not with each confirmation: that would be ten writes a second. */
  async tidy() {
    const { firstId } = this;
    if (this.storedFrom >= Math.min(firstId, this.storedBefore)) return;
    await this.store.removeBefore(firstId);
    this.storedFrom = Math.min(firstId, this.storedBefore);
  }

  async clear() {
    this.#dropBefore(this.nextId);
    this.storedFrom = this.storedBefore;
    await this.store?.clear();
  }

  #maySent() {
    return Math.max(this.sentBefore, this.firstId);
  }

  #dropBefore(id) {
    const count = id - this.firstId;
    if (count <= 0) return;
    this.frames.splice(0, count);
    this.firstId = id;
    this.store?.forgetBefore(id);
  }

  #setShift(shift) {
    if (shift === this.shift) return;
    this.shift = shift;
    if (this.storedBefore > this.storedFrom) this.store.saveShift(shift);
  }
}
