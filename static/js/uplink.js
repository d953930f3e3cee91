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
export class Uplink extends EventTarget {
  /** @param {import("./socket.js").ReturningSocket} socket @param {import("./frames.js").UnsavedFrames} frames */
  constructor(socket, frames) {
    super();
    this.socket = socket;
    this.frames = frames;
    this.isReady = false;
    this.nextId = 0;
    this.isPumping = false;
    this.movedAt = performance.now();
    socket.addEventListener("message", ({ detail }) => this.#received(detail));
    socket.addEventListener("waiting", () => (this.isReady = false));
    socket.addEventListener("closed", () => (this.isReady = false));
    setInterval(() => this.#check(), CHECK_MS);
    document.addEventListener("visibilitychange", () => document.hidden && this.#persist());
  }

  /** Seconds of the whole meeting that some page of this host captured; null before the server has answered. */
  get capturedSeconds() {
    if (this.frames.shift === null) return null;
    return this.frames.numberOf(this.frames.nextId) * FRAME_SECONDS;
  }

  /** @param {ArrayBuffer} pcm one frame */
  append(pcm) {
    this.frames.append(pcm);
    this.#pump();
    this.#changed();
  }

  /** Resolves when every frame is confirmed. */
  async drained() {
    while (this.frames.length > 0) {
      await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
    }
  }

  #received(message) {
    if (message.type === "ready") this.#resume(message.next_frame);
    if (message.type === "ack") this.#acknowledge(message.frame);
    // The server knows best where to go on: a new connection says so.
    if (message.type === "error" && message.code === "frame_gap") this.socket.retry();
  }

  #resume(nextFrame) {
    const lost = this.frames.resume(nextFrame) * FRAME_SECONDS;
    this.isReady = true;
    this.movedAt = performance.now();
    this.nextId = this.frames.firstId;
    if (lost > 0) {
      this.socket.send({ type: "missing", seconds: lost });
      this.dispatchEvent(new CustomEvent("lost", { detail: lost }));
    }
    this.#pump();
    this.#changed();
  }

  #acknowledge(frame) {
    if (!this.isReady) return;
    this.frames.acknowledge(frame);
    this.movedAt = performance.now();
    this.#pump();
    this.#changed();
  }

  /** One at a time: reading may wait for the disk, and the order must hold. */
  async #pump() {
    if (this.isPumping) return;
    this.isPumping = true;
    try {
      while (await this.#sendNext());
    } finally {
      this.isPumping = false;
    }
  }

  async #sendNext() {
    const { frames } = this;
    this.nextId = Math.max(this.nextId, frames.firstId);
    const id = this.nextId;
    if (!this.isReady || id >= frames.nextId || id - frames.firstId >= WINDOW) return false;
    const pcm = await frames.read(id);
    // The connection or the numbering may have changed during the read.
    if (pcm === null || !this.isReady || id !== this.nextId) return true;
    if (!this.socket.sendBytes(packet(frames.numberOf(id), pcm))) return false;
    frames.markSent(id);
    this.nextId += 1;
    return true;
  }

  #check() {
    if (this.frames.length > PERSIST_AFTER) this.#persist();
    const isStuck = this.isReady && this.frames.length > 0 && performance.now() - this.movedAt > ACK_TIMEOUT_MS;
    if (isStuck) this.socket.retry();
    if (this.frames.length === 0) this.movedAt = performance.now();
  }

  async #persist() {
    try {
      await this.frames.persist();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.dispatchEvent(new CustomEvent("storage-failed", { detail: error.message }));
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
