/** IndexedDB under `UnsavedFrames`: frames by meeting and id. Emptied when the meeting ends. */

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
  /** @param {IDBDatabase} database @param {string} meeting */
  constructor(database, meeting) {
    this.database = database;
    this.meeting = meeting;
  }

  /** @returns {Promise<FrameStore>} rejects with a DOMException where the browser has no storage for us */
  static async open(meeting) {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(FRAMES);
      request.result.createObjectStore(SHIFTS);
    };
    return new FrameStore(await settled(request), meeting);
  }

  /** @returns {Promise<{firstId: number, count: number, shift: number}|null>} what an earlier page left */
  async load() {
    const transaction = this.database.transaction([FRAMES, SHIFTS]);
    const keys = await settled(transaction.objectStore(FRAMES).getAllKeys(this.#range(0)));
    if (keys.length === 0) return null;
    const shift = await settled(transaction.objectStore(SHIFTS).get(this.meeting));
    return { firstId: keys[0][1], count: keys.length, shift: shift ?? null };
  }

  /** Writes frames from id `first` on. @param {ArrayBuffer[]} batch */
  async append(first, batch, shift) {
    const transaction = this.database.transaction([FRAMES, SHIFTS], "readwrite");
    const frames = transaction.objectStore(FRAMES);
    batch.forEach((pcm, i) => frames.put(pcm, [this.meeting, first + i]));
    if (shift !== null) transaction.objectStore(SHIFTS).put(shift, this.meeting);
    // At once: a page that is being closed does not live to the automatic commit.
    transaction.commit();
    await completed(transaction);
  }

  /** @returns {Promise<ArrayBuffer[]>} */
  async fetch(first, count) {
    const frames = this.database.transaction(FRAMES).objectStore(FRAMES);
    return settled(frames.getAll(this.#range(first), count));
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

  #range(first) {
    return IDBKeyRange.bound([this.meeting, first], [this.meeting, Infinity]);
  }
}
