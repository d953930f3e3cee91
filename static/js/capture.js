/** From a stream of sound to frames: the audio graph, its watch over the track, and a stop that loses nothing. */
import { gettext } from "./i18n.js";
import { asSoundError, SoundError, SuspendedError } from "./microphone.js";
import { isFulfilled } from "./settled.js";

const NO_WORKLET = gettext("A part of this page could not be loaded. Check the connection, then start again.");
const NO_RATE = gettext("This browser hides how fast the microphone sends, so this page cannot listen. Allow it for this page in the browser's privacy settings (“resist fingerprinting”), or use another browser.");
const NO_OUTPUT = gettext("The browser does not begin to listen. It needs a sound output for that: plug in headphones or loudspeakers, or use another browser.");
const FRAME_RATE = 16_000;
/** Where a browser does not tell the rate of the microphone: what nearly all of them have. */
const COMMON_RATES = [48_000, 44_100];
const WATCH_MS = 1_000;
/** The audio thread posts ten frames a second; none for this long means that it stands still. */
const STALLED_MS = 2_000;
/** Timers that are this late were asleep with the machine: the sound has a moment to come back by itself. */
const SLEPT_MS = 5_000;
const FLUSH_TIMEOUT_MS = 1_000;
const RESUME_TIMEOUT_MS = 3_000;
/** After so many in vain only a new graph helps: that of an interrupted iPhone runs on with a dead source. */
const MOST_RESUMES = 2;

/**
 * Events: "frame" (detail: Int16Array, 100 ms at 16 kHz); "gap" (detail: ms without sound before the next frame);
 * "trouble" and "relief" (detail: "muted", "stalled" or "suspended"); "dead" (detail: "ended", "broken" or "stalled"):
 * only another capture helps.
 */
export class Capture extends EventTarget {
  #trouble = null;
  #resumes = 0;
  #isResuming = false;
  #isWaking = false;

  constructor(stream, context, node) {
    super();
    this.stream = stream;
    this.context = context;
    this.node = node;
    [this.track] = stream.getAudioTracks();
    this.frameCount = 0;
    /** Something happened to the sound since it was last heard: zeros may come from a dead source. */
    this.isDisturbed = false;
    this.frameAt = performance.now();
    this.checkedAt = this.frameAt;
    this.watch = setInterval(() => this.#check(), WATCH_MS);
    node.port.onmessage = ({ data }) => this.#posted(data);
    node.onprocessorerror = () => this.#die("broken");
    this.track.addEventListener("ended", () => this.#die("ended"));
    this.track.addEventListener("mute", () => this.#disturb("trouble", "muted"));
    this.track.addEventListener("unmute", () => this.#disturb("relief", "muted"));
    if (this.track.muted) queueMicrotask(() => this.#tell("trouble", "muted"));
  }

  /** Rejects with SoundError; the stream is stopped then. @param {MediaStream} stream @param {string} workletUrl */
  static async open(stream, workletUrl) {
    let context = null;
    try {
      const graph = connectedContext(stream);
      context = graph.context;
      const node = await attachedNode(graph, workletUrl);
      if (!(await isFulfilled(context.resume(), RESUME_TIMEOUT_MS))) throw new SuspendedError(NO_OUTPUT);
      return new Capture(stream, context, node);
    } catch (error) {
      await release(stream, context);
      throw asSoundError(error);
    }
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
    await release(this.stream, this.context);
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
    if (data.gapMs !== undefined) {
      this.#tell("gap", data.gapMs);
      return;
    }
    this.frameAt = performance.now();
    this.frameCount += 1;
    this.#tell("frame", data);
  }

  #check() {
    const now = performance.now();
    const hasSlept = now - this.checkedAt > SLEPT_MS && !this.#isWaking;
    this.checkedAt = now;
    this.#isWaking = hasSlept;
    if (hasSlept) this.isDisturbed = true;
    else if (now - this.frameAt > STALLED_MS) this.#revive();
    else this.#flows();
  }

  #flows() {
    this.#resumes = 0;
    if (this.#trouble === null) return;
    this.#disturb("relief", this.#trouble);
    this.#trouble = null;
  }

  /** Phones suspend the graph during a call and do not wake it by themselves. */
  async #revive() {
    const trouble = this.context.state === "running" ? "stalled" : "suspended";
    if (this.#trouble === null) this.#tell("trouble", (this.#trouble = trouble));
    if (this.#isResuming) return;
    if (this.#resumes === MOST_RESUMES) {
      this.#die("stalled");
      return;
    }
    this.#resumes += 1;
    this.#isResuming = true;
    await isFulfilled(this.context.resume(), RESUME_TIMEOUT_MS);
    this.#isResuming = false;
  }

  #disturb(type, reason) {
    this.isDisturbed = true;
    this.#tell(type, reason);
  }

  #die(reason) {
    clearInterval(this.watch);
    this.#tell("dead", reason);
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** At 16 kHz where the browser resamples for us; Firefox wants the microphone's own rate, and the worklet resamples. */
function connectedContext(stream) {
  const [track] = stream.getAudioTracks();
  for (const sampleRate of new Set([FRAME_RATE, undefined, track.getSettings().sampleRate, ...COMMON_RATES])) {
    let context = null;
    try {
      context = new AudioContext({ sampleRate });
      return { context, source: context.createMediaStreamSource(stream) };
    } catch (error) {
      context?.close();
      if (error.name !== "NotSupportedError") throw error;
    }
  }
  throw new SoundError(NO_RATE);
}

async function attachedNode({ context, source }, workletUrl) {
  try {
    await context.audioWorklet.addModule(workletUrl);
  } catch (error) {
    throw new SoundError(NO_WORKLET, { cause: error });
  }
  const node = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 1, outputChannelCount: [1] });
  source.connect(node);
  // An unconnected node is not run everywhere; this one writes silence.
  node.connect(context.destination);
  return node;
}

/** Puts out the browser's sign that it listens. */
async function release(stream, context) {
  for (const track of stream.getTracks()) track.stop();
  if (context !== null) await isFulfilled(context.close(), RESUME_TIMEOUT_MS);
}
