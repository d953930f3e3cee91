/** From a stream of sound to frames: the audio graph, its watch over the track, and a stop that loses nothing. */
import { gettext } from "./i18n.js";
import { SoundError } from "./microphone.js";

const NO_WORKLET = gettext("A part of this page could not be loaded. Check the connection, then start again.");
const FRAME_RATE = 16_000;
const WATCH_MS = 1_000;
/** The audio thread posts ten frames a second; none for this long means that it stands still. */
const STALLED_MS = 2_000;
const FLUSH_TIMEOUT_MS = 1_000;

/**
 * Events: "frame" (detail: Int16Array, 100 ms at 16 kHz); "trouble" and "relief" (detail: "ended", "muted",
 * "stalled" or "broken").
 */
export class Capture extends EventTarget {
  #stalled = false;

  constructor(stream, context, node) {
    super();
    this.stream = stream;
    this.context = context;
    this.node = node;
    [this.track] = stream.getAudioTracks();
    this.frameAt = performance.now();
    this.watch = setInterval(() => this.#checkFlow(), WATCH_MS);
    node.port.onmessage = ({ data }) => this.#posted(data);
    node.onprocessorerror = () => this.#tell("trouble", "broken");
    this.track.addEventListener("ended", () => this.#tell("trouble", "ended"));
    this.track.addEventListener("mute", () => this.#tell("trouble", "muted"));
    this.track.addEventListener("unmute", () => this.#tell("relief", "muted"));
    if (this.track.muted) queueMicrotask(() => this.#tell("trouble", "muted"));
  }

  /** Rejects with SoundError. @param {MediaStream} stream @param {string} workletUrl */
  static async open(stream, workletUrl) {
    const { context, source } = connectedContext(stream);
    try {
      await context.audioWorklet.addModule(workletUrl);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      await context.close();
      throw new SoundError(NO_WORKLET, { cause: error });
    }
    const node = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 1, outputChannelCount: [1] });
    source.connect(node);
    // An unconnected node is not run everywhere; this one writes silence.
    node.connect(context.destination);
    await context.resume();
    return new Capture(stream, context, node);
  }

  /** What the browser really does to the sound. */
  get settings() {
    return this.track.getSettings();
  }

  /** Stops listening; resolves when the last piece of a frame was posted. */
  async stop() {
    clearInterval(this.watch);
    if (this.context.state === "running") await this.#flushed();
    this.node.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.stop();
    await this.context.close();
  }

  #flushed() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FLUSH_TIMEOUT_MS);
      this.addEventListener("flushed", () => (clearTimeout(timer), resolve()), { once: true });
      this.node.port.postMessage("flush");
    });
  }

  #posted(data) {
    if (data === "flushed") {
      this.#tell("flushed");
      return;
    }
    this.frameAt = performance.now();
    this.#tell("frame", data);
  }

  #checkFlow() {
    const isStalled = performance.now() - this.frameAt > STALLED_MS;
    // Phones suspend the graph during a call and do not wake it by themselves.
    if (isStalled && this.context.state !== "closed") this.context.resume();
    if (isStalled === this.#stalled) return;
    this.#stalled = isStalled;
    this.#tell(isStalled ? "trouble" : "relief", "stalled");
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** At 16 kHz where the browser resamples for us; Firefox refuses, and the worklet then does it. */
function connectedContext(stream) {
  const context = new AudioContext({ sampleRate: FRAME_RATE });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch (error) {
    if (error.name !== "NotSupportedError") throw error;
    context.close();
    const native = new AudioContext();
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
}
