/** Sends the host's frames in order, a bounded number at a time, until the server has confirmed every one. */
import { FRAME_SECONDS } from "./frames.js";

/** Frames sent and not yet confirmed; the rest waits here, not in the server's memory. */
const WINDOW = 40;
/** No confirmation for this long means that the link is dead, whatever the browser thinks. */
const ACK_TIMEOUT_MS = 10_000;
/** Frames older than this are worth a write to the disk (2 s); a healthy link confirms sooner. */
const PERSIST_AFTER = 20;
const CHECK_MS = 1_000;
const HEADER_BYTES = 4;

/** Events: "change" after anything moved; "lost" (detail: seconds); "storage-failed". */
export class FrameSender extends EventTarget {
  /**
   * @param {import("./socket.js").ReconnectingSocket} socket
   * @param {import("./frames.js").UnsavedFrames} frames
   * @param {import("./captured-count.js").CapturedCount} capturedCount
   */
  constructor(socket, frames, capturedCount) {
    super();
    this.socket = socket;
    this.frames = frames;
    this.capturedCount = capturedCount;
    /** Where an earlier page of this meeting was when it went; looked at once. */
    this.earlier = capturedCount.read();
    this.capturedHere = 0;
    /** Seconds that are missing and that the server does not know of. */
    this.missing = 0;
    this.isReady = false;
    this.nextId = 0;
    this.isFetching = false;
    this.isKeeping = false;
    this.movedAt = performance.now();
    socket.addEventListener("message", ({ detail }) => this.#received(detail));
    socket.addEventListener("waiting", () => (this.isReady = false));
    socket.addEventListener("closed", () => (this.isReady = false));
    setInterval(() => this.#check(), CHECK_MS);
    document.addEventListener("visibilitychange", () => document.hidden && this.#keep(true));
  }

  /** Seconds of the whole meeting that some page of this host captured; null before the server has answered. */
  get capturedSeconds() {
    if (this.frames.shift === null) return null;
    return this.frames.numberOf(this.frames.nextId) * FRAME_SECONDS;
  }

  /** @param {ArrayBuffer} pcm one frame */
  append(pcm) {
    this.frames.append(pcm);
    this.capturedHere += 1;
    this.#count();
    this.#pump();
    this.#changed();
  }

  /** Counts sound that was not captured, or not kept. @param {number} seconds */
  addMissing(seconds) {
    this.missing += seconds;
    this.#tellMissing();
  }

  /** The meeting is over: nothing of it stays on this device. */
  async clear() {
    this.capturedCount.clear();
    await this.frames.clear();
  }

  #received(message) {
    if (message.type === "ready") this.#resume(message.next_frame);
    if (message.type === "ack") this.#acknowledge(message.frame);
    // The server knows best where to go on: a new connection says so.
    if (message.type === "error" && message.code === "frame_gap") this.socket.retry();
  }

  #resume(nextFrame) {
    const lost = (this.frames.resume(nextFrame) + this.#diedWithPage()) * FRAME_SECONDS;
    this.#count();
    this.isReady = true;
    this.movedAt = performance.now();
    this.nextId = this.frames.firstId;
    this.addMissing(lost);
    if (lost > 0) this.dispatchEvent(new CustomEvent("lost", { detail: lost }));
    this.#pump();
    this.#changed();
  }

  #tellMissing() {
    if (this.missing === 0 || !this.isReady) return;
    if (this.socket.send({ type: "missing", seconds: this.missing })) this.missing = 0;
  }

  /** Frames that an earlier page captured, and that neither the server nor the browser's storage has. */
  #diedWithPage() {
    const known = this.frames.numberOf(this.frames.nextId - this.capturedHere);
    const died = Math.max(0, this.earlier - known);
    this.earlier = 0;
    return died;
  }

  #count() {
    if (this.frames.shift !== null) this.capturedCount.write(this.frames.numberOf(this.frames.nextId));
  }

  #acknowledge(frame) {
    if (!this.isReady) return;
    this.frames.acknowledge(frame);
    this.movedAt = performance.now();
    this.#pump();
    this.#changed();
  }

  /** Sends what the window allows. What only the disk has is fetched first: the order must hold. */
  #pump() {
    const { frames } = this;
    this.nextId = Math.max(this.nextId, frames.firstId);
    while (this.isReady && this.nextId < frames.nextId && this.nextId - frames.firstId < WINDOW) {
      const pcm = frames.peek(this.nextId);
      if (pcm === null) {
        this.#fetch(this.nextId);
        return;
      }
      if (!this.socket.sendBytes(packet(frames.numberOf(this.nextId), pcm))) return;
      this.nextId += 1;
      frames.markSent(this.nextId);
    }
  }

  async #fetch(id) {
    if (this.isFetching) return;
    this.isFetching = true;
    try {
      await this.frames.fetch(id);
    } finally {
      this.isFetching = false;
    }
    this.#pump();
  }

  #check() {
    this.#keep(this.frames.length > PERSIST_AFTER);
    const isStuck = this.isReady && this.frames.length > 0 && performance.now() - this.movedAt > ACK_TIMEOUT_MS;
    if (isStuck) this.socket.retry();
    if (this.frames.length === 0) this.movedAt = performance.now();
  }

  /** One write at a time; what it leaves out goes with the next. */
  async #keep(isLong) {
    if (this.isKeeping) return;
    this.isKeeping = true;
    try {
      await (isLong ? this.frames.persist() : this.frames.tidy());
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.dispatchEvent(new CustomEvent("storage-failed", { detail: error.message }));
    } finally {
      this.isKeeping = false;
    }
  }

  #changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** @returns {ArrayBuffer} the frame as it goes over the wire: its number, big-endian, then the samples */
function packet(number, pcm) {
  const bytes = new Uint8Array(HEADER_BYTES + pcm.byteLength);
  new DataView(bytes.buffer).setUint32(0, number);
  bytes.set(new Uint8Array(pcm), HEADER_BYTES);
  return bytes.buffer;
}
