/** The host's meeting in this page: starts, pauses and ends the capture, and tells the server at the right place. */
import { CaptureGap } from "./capture-gap.js";
import { peakDb, SilenceWatch } from "./level.js";
import { SoundKeeper } from "./sound-keeper.js";
import { WakeLock } from "./wake-lock.js";

/** @typedef {"idle"|"starting"|"capturing"|"interrupted"|"paused"|"ending"|"ended"} SessionState */

/** What a microphone that was lost or stopped still posts belongs to the meeting. */
const CAPTURING = ["capturing", "interrupted", "ending"];
const TROUBLES = ["ended", "muted", "stalled", "suspended", "silent"];

/**
 * Events: "state" (detail: the state); "level" (detail: dB); "trouble" and "relief" (detail: the reason); "stopped"
 * (detail: a sentence) while interrupted; "found" (detail: the microphone's name) when another one is listened to by
 * itself; "missing" (detail: seconds that were not captured).
 */
export class HostSession extends EventTarget {
  /** @param {import("./socket.js").ReconnectingSocket} socket @param {import("./frame-sender.js").FrameSender} sender */
  constructor(socket, sender, workletUrl) {
    super();
    this.socket = socket;
    this.sender = sender;
    this.keeper = new SoundKeeper(workletUrl);
    /** @type {SessionState} */
    this.state = "idle";
    this.gap = new CaptureGap();
    this.silence = new SilenceWatch();
    this.wakeLock = new WakeLock();
    /** What the server is still to be told; it belongs behind every frame captured before it. */
    this.untold = null;
    sender.addEventListener("change", () => this.#tellServer());
    this.#follow();
  }

  /** Opens the sound and captures it; while capturing, from another source. Rejects with SoundError. */
  async start(source, preset) {
    const before = this.state;
    if (before !== "capturing") this.#setState("starting");
    try {
      if (!(await this.keeper.open(source, preset))) return;
    } finally {
      if (this.state === "starting" && !this.keeper.isListening) this.#setState(before);
    }
    this.silence = new SilenceWatch();
    this.wakeLock.hold();
    this.#goOn();
    if (before === "idle" || before === "paused") this.#say("resume");
  }

  /** Also without a microphone. */
  async pause() {
    this.#stopExpecting();
    const isInterrupted = this.state !== "capturing";
    this.#setState("paused");
    this.#say("pause");
    if (isInterrupted) await this.#stopCapture();
  }

  /** Only while the microphone still listens; else it has to be started. */
  resume() {
    this.#goOn();
    this.#say("resume");
  }

  /** Stops listening at once; the meeting ends when the server has every frame. */
  async end() {
    this.#stopExpecting();
    this.#setState("ending");
    await this.#stopCapture();
    this.#say("end");
  }

  /** The server has captioned everything, or the meeting had ended already. */
  async finish() {
    await this.#stopCapture();
    await this.sender.clear();
    this.#setState("ended");
  }

  /** Another page took over: what is unsent stays with this one until it is closed. */
  async abandon() {
    await this.#stopCapture();
    this.#setState("idle");
  }

  #follow() {
    const { keeper } = this;
    keeper.addEventListener("frame", ({ detail }) => this.#captured(detail));
    for (const type of ["trouble", "relief"]) keeper.addEventListener(type, ({ detail }) => this.#tell(type, detail));
    keeper.addEventListener("gap", ({ detail }) => this.#addMissing(this.gap.add(detail)));
    keeper.addEventListener("lost", () => this.#interrupted());
    keeper.addEventListener("stopped", ({ detail }) => this.#tell("stopped", detail));
    keeper.addEventListener("found", ({ detail }) => this.#found(detail));
  }

  #captured({ pcm, isFirst }) {
    const db = peakDb(pcm);
    // The last piece of a microphone that is gone has no level to show.
    if (this.keeper.isListening) this.#tell("level", db);
    const isCapturing = CAPTURING.includes(this.state);
    this.#tell(this.silence.hears(db) && isCapturing ? "trouble" : "relief", "silent");
    this.#addMissing(this.gap.take(isFirst));
    if (isCapturing) this.sender.append(pcm.buffer);
  }

  #interrupted() {
    if (this.state === "paused") {
      this.#stopCapture();
      return;
    }
    if (this.state !== "capturing") return;
    this.#setState("interrupted");
    this.#tell("trouble", "ended");
  }

  #found(label) {
    if (this.state === "interrupted") this.#goOn();
    this.#tell("found", label);
  }

  #goOn() {
    this.gap.begin();
    this.#tell("relief", "ended");
    this.#setState("capturing");
  }

  #stopExpecting() {
    this.#addMissing(this.gap.end(this.keeper.isListening));
  }

  #addMissing(seconds) {
    if (seconds === 0) return;
    this.sender.addMissing(seconds);
    this.#tell("missing", seconds);
  }

  async #stopCapture() {
    await this.keeper.stop();
    await this.wakeLock.release();
    for (const reason of TROUBLES) this.#tell("relief", reason);
  }

  #say(word) {
    this.untold = word;
    this.#tellServer();
  }

  #tellServer() {
    if (this.untold === null || !this.sender.isReady) return;
    const isInPlace = this.untold === "resume" || this.sender.frames.length === 0;
    if (isInPlace && this.socket.send({ type: this.untold })) this.untold = null;
  }

  #setState(state) {
    this.state = state;
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
