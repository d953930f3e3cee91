/** Test doubles for the host's socket and microphone, driven by a seeded random generator instead of time. */

/** Mulberry32: small, seeded, good enough to choose what goes wrong. */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A frame that says which one it is. */
export function frame(value) {
  return new Int32Array([value]).buffer;
}

export function valueOf(pcm) {
  return new Int32Array(pcm.slice(0, 4))[0];
}

/**
 * Server and link in one: keeps frames as the contract says, refuses gaps, and loses whatever is under way when
 * it is cut. Looks like `ReconnectingSocket` to the page.
 */
export class ScriptedServer extends EventTarget {
  constructor(random) {
    super();
    this.random = random;
    this.stored = [];
    this.missing = [];
    this.isOpen = false;
    this.toServer = [];
    this.toPage = [];
    this.mostInFlight = 0;
  }

  open() {
    this.isOpen = true;
    this.#tell("message", { type: "ready", next_frame: this.stored.length, sample_rate: 16000, frame_ms: 100 });
  }

  /** What is under way arrives up to a random point, or not at all. */
  cut() {
    this.#store(Math.floor(this.random() * (this.toServer.length + 1)));
    this.isOpen = false;
    this.toServer = [];
    this.toPage = [];
    this.#tell("waiting", 0);
  }

  retry() {
    this.cut();
    this.open();
  }

  /** Everything under way arrives. */
  deliver() {
    this.#store(this.toServer.length);
    for (const message of this.toPage.splice(0)) this.#tell("message", message);
  }

  send(message) {
    if (this.isOpen && message.type === "missing") this.missing.push(message.seconds);
    return this.isOpen;
  }

  sendBytes(data) {
    if (!this.isOpen) return false;
    this.toServer.push(data);
    this.mostInFlight = Math.max(this.mostInFlight, this.toServer.length);
    return true;
  }

  #store(count) {
    for (const data of this.toServer.splice(0, count)) {
      const number = new DataView(data).getUint32(0);
      if (number > this.stored.length) throw new Error(`frame ${number} came where ${this.stored.length} was due`);
      if (number === this.stored.length) this.stored.push(valueOf(data.slice(4)));
      this.toPage.push({ type: "ack", frame: this.stored.length - 1 });
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
