/** The host's meeting in this page: starts, pauses and ends the capture, and tells the server at the right place. */
import { Capture } from "./capture.js";
import { peakDb, SilenceWatch } from "./level.js";
import { openSound } from "./microphone.js";
import { WakeLock } from "./wake-lock.js";

/** @typedef {"idle"|"starting"|"capturing"|"paused"|"ending"|"ended"} SessionState */

/** Events: "state" (detail: the state); "level" (detail: dB); "trouble" and "relief" (detail: the reason). */
export class HostSession extends EventTarget {
  /** @param {import("./socket.js").ReconnectingSocket} socket @param {import("./frame-sender.js").FrameSender} sender */
  constructor(socket, sender, workletUrl) {
    super();
    this.socket = socket;
    this.sender = sender;
    this.workletUrl = workletUrl;
    /** @type {SessionState} */
    this.state = "idle";
    this.capture = null;
    this.wakeLock = new WakeLock();
    /** What the server is still to be told; it belongs behind every frame captured before it. */
    this.untold = null;
    sender.addEventListener("change", () => this.#tellServer());
  }

  /** Opens the sound and captures it. Rejects with SoundError. */
  async start(source, preset) {
    this.#setState("starting");
    try {
      this.capture = await Capture.open(await openSound(source, preset), this.workletUrl);
    } catch (error) {
      this.#setState("idle");
      throw error;
    }
    this.silence = new SilenceWatch();
    this.capture.addEventListener("frame", ({ detail }) => this.#captured(detail));
    this.capture.addEventListener("trouble", ({ detail }) => this.#troubled(detail));
    this.capture.addEventListener("relief", ({ detail }) => this.#tell("relief", detail));
    this.wakeLock.hold();
    this.#setState("capturing");
    this.#say("resume");
  }

  pause() {
    this.#setState("paused");
    this.#say("pause");
  }

  resume() {
    this.#setState("capturing");
    this.#say("resume");
  }

  /** Stops listening at once; the meeting ends when the server has every frame. */
  async end() {
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

  #captured(pcm) {
    const db = peakDb(pcm);
    this.#tell("level", db);
    const isCapturing = this.state === "capturing" || this.state === "ending";
    this.#tell(this.silence.hears(db) && isCapturing ? "trouble" : "relief", "silent");
    if (isCapturing) this.sender.append(pcm.buffer);
  }

  async #troubled(reason) {
    this.#tell("trouble", reason);
    if (reason !== "ended" && reason !== "broken") return;
    await this.#stopCapture();
    this.#setState("idle");
  }

  async #stopCapture() {
    const capture = this.capture;
    this.capture = null;
    await capture?.stop();
    await this.wakeLock.release();
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
