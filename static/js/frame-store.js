/** IndexedDB under `UnsavedFrames`: encrypted frames by meeting and id. Emptied when the meeting ends. */

const DATABASE = "parlance";
const FRAMES = "frames";
const SHIFTS = "shifts";

/** Settles with the request's result. */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Settles when everything in the transaction is written. */
function completed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

export class FrameStore {
  /** @param {IDBDatabase} database @param {string} meeting @param {import("./frame-cipher.js").FrameCipher} cipher */
  constructor(database, meeting, cipher) {
    this.database = database;
    this.meeting = meeting;
    this.cipher = cipher;
    /** By id, oldest first: frames that are encrypted and not written. @type {Map<number, object|Promise<object>>} */
    this.prepared = new Map();
  }

  /** @returns {Promise<FrameStore>} rejects with a DOMException where the browser has no storage for us */
  static async open(meeting, cipher) {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(FRAMES);
      request.result.createObjectStore(SHIFTS);
    };
    return new FrameStore(await settled(request), meeting, cipher);
  }

  /**
   * What an earlier page left. Rejects with WrongKeyError, and leaves all as it is.
   * @returns {Promise<{firstId: number, count: number, shift: number}|null>}
   */
  async load() {
    const transaction = this.database.transaction([FRAMES, SHIFTS]);
    const keys = await settled(transaction.objectStore(FRAMES).getAllKeys(this.#range(0)));
    if (keys.length === 0) return null;
    const shift = await settled(transaction.objectStore(SHIFTS).get(this.meeting));
    const firstId = keys[0][1];
    // One tells of the key: a page that has another one never writes behind these.
    await this.fetch(firstId, 1);
    return { firstId, count: keys.length, shift: shift ?? null };
  }

  /** Encrypts a frame now, for an `append` that then waits for nothing: a page that is being closed has no time. */
  prepare(id, pcm) {
    const sealing = this.cipher.seal(id, pcm).then((frame) => {
      if (this.prepared.has(id)) this.prepared.set(id, frame);
      return frame;
    });
    this.prepared.set(id, sealing);
  }

  /** Frames before `id` need no place any more. */
  forgetBefore(id) {
    for (const prepared of this.prepared.keys()) {
      if (prepared >= id) return;
      this.prepared.delete(prepared);
    }
  }

  /** Writes `count` prepared frames from id `first` on. */
  async append(first, count, shift) {
    const ids = Array.from({ length: count }, (_, i) => first + i);
    const prepared = ids.map((id) => this.prepared.get(id));
    const isReady = prepared.every((frame) => !(frame instanceof Promise));
    const sealed = isReady ? prepared : await Promise.all(prepared);
    const transaction = this.database.transaction([FRAMES, SHIFTS], "readwrite");
    const frames = transaction.objectStore(FRAMES);
    sealed.forEach((frame, i) => frames.put(frame, [this.meeting, ids[i]]));
    if (shift !== null) transaction.objectStore(SHIFTS).put(shift, this.meeting);
    // At once: a page that is being closed does not live to the automatic commit.
    transaction.commit();
    await completed(transaction);
    this.forgetBefore(first + count);
  }

  /** @returns {Promise<ArrayBuffer[]>} the sound; rejects with WrongKeyError */
  async fetch(first, count) {
    const frames = this.database.transaction(FRAMES).objectStore(FRAMES);
    const stored = await settled(frames.getAll(this.#range(first), count));
    return Promise.all(stored.map((frame, i) => this.#opened(first + i, frame)));
  }

  async removeBefore(id) {
    const transaction = this.database.transaction(FRAMES, "readwrite");
    transaction.objectStore(FRAMES).delete(IDBKeyRange.bound([this.meeting, 0], [this.meeting, id], false, true));
    await completed(transaction);
  }

  async saveShift(shift) {
    const transaction = this.database.transaction(SHIFTS, "readwrite");
    transaction.objectStore(SHIFTS).put(shift, this.meeting);
    await completed(transaction);
  }

  async clear() {
    const transaction = this.database.transaction([FRAMES, SHIFTS], "readwrite");
    transaction.objectStore(FRAMES).delete(this.#range(0));
    transaction.objectStore(SHIFTS).delete(this.meeting);
    await completed(transaction);
  }

  /** Versions before the encryption wrote the sound as it was; what still waits from then is sent like the rest. */
  async #opened(id, frame) {
    return frame instanceof ArrayBuffer ? frame : this.cipher.open(id, frame);
  }

  #range(first) {
    return IDBKeyRange.bound([this.meeting, first], [this.meeting, Infinity]);
  }
}
