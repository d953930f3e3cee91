/** The host's buttons and choices; what they do is `HostSession`'s. */
import { gettext } from "./i18n.js";
import { LevelMeter } from "./level.js";
import { canShareTab, microphones, obstacle, rememberedMicrophone, rememberMicrophone, SoundError, TAB } from "./microphone.js";

const LABELS = { idle: gettext("Start captions"), starting: gettext("Starting…"), paused: gettext("Resume") };

export class HostControls {
  /**
   * @param {HTMLElement} page @param {import("./host-session.js").HostSession} session
   * @param {import("./alarm.js").Alarm} alarm
   */
  constructor(page, session, alarm) {
    this.session = session;
    this.alarm = alarm;
    for (const name of ["controls", "setup", "device", "tab", "presets", "start", "pause", "end", "progress", "consent", "finished"]) {
      this[name] = page.querySelector(`[data-${name}]`);
    }
    this.meter = new LevelMeter(...["level", "level-bar", "level-text"].map((name) => page.querySelector(`[data-${name}]`)));
    this.hasConsent = false;
    this.mayStart = true;
    this.#listen(page);
    this.#listDevices();
    this.#show(session.state);
    if (obstacle() !== null) this.#refuse(obstacle());
  }

  /** Without a server that takes the sound there is nothing to start. */
  allowStart(isAllowed) {
    this.mayStart = isAllowed;
    this.#show(this.session.state);
  }

  #listen(page) {
    this.start.addEventListener("click", () => this.#startOrResume());
    this.pause.addEventListener("click", () => this.session.pause());
    this.end.addEventListener("click", () => this.session.end());
    this.device.addEventListener("change", () => this.#chose());
    page.querySelector("[data-consent-yes]").addEventListener("click", () => this.#consented());
    page.querySelector("[data-consent-no]").addEventListener("click", () => this.consent.close());
    this.session.addEventListener("state", ({ detail }) => this.#show(detail));
    this.session.addEventListener("level", ({ detail }) => this.meter.show(detail));
    this.session.sender.addEventListener("change", () => this.#showProgress());
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#listDevices());
  }

  #startOrResume() {
    if (this.session.state === "paused") this.session.resume();
    else if (this.hasConsent) this.#open();
    else this.consent.showModal();
  }

  #consented() {
    this.hasConsent = true;
    this.consent.close();
    this.#open();
  }

  async #open() {
    this.alarm.clearAll();
    const preset = this.presets.querySelector(":checked").value;
    try {
      await this.session.start(this.device.value, preset);
    } catch (error) {
      if (!(error instanceof SoundError)) throw error;
      this.#refuse(error.message);
      return;
    }
    // Only now does the browser tell the names of the devices.
    await this.#listDevices();
  }

  #refuse(sentence) {
    this.alarm.raise(sentence);
  }

  #chose() {
    if (this.device.value !== TAB) rememberMicrophone(this.device.value);
    this.presets.disabled = this.device.value === TAB;
  }

  async #listDevices() {
    const chosen = this.device.value || rememberedMicrophone();
    const found = await microphones();
    for (const option of [...this.device.options].slice(1, -1)) option.remove();
    this.tab.before(...found.map(({ deviceId, label }, i) => new Option(label || gettext("Microphone {number}", { number: i + 1 }), deviceId)));
    this.tab.hidden = !canShareTab();
    this.device.value = chosen;
    if (this.device.selectedIndex < 0) this.device.value = "";
  }

  /** @param {import("./host-session.js").SessionState} state */
  #show(state) {
    const isRunning = state === "capturing" || state === "paused";
    this.controls.hidden = state === "ended";
    this.finished.hidden = state !== "ended";
    this.setup.hidden = isRunning || state === "ending";
    this.start.hidden = state === "capturing" || state === "ending";
    this.start.disabled = state === "starting" || !this.mayStart;
    this.start.textContent = LABELS[state] ?? LABELS.idle;
    this.pause.hidden = state !== "capturing";
    this.end.hidden = !isRunning;
    if (!isRunning) this.meter.reset(gettext("Not listening."));
    this.#showProgress();
  }

  #showProgress() {
    const { state, sender } = this.session;
    const left = sender.frames.seconds;
    const ending =
      left >= 1
        ? gettext("Ending: {seconds} s of sound still go to the server. Keep this page open.", { seconds: Math.ceil(left) })
        : gettext("Ending: the last words are being captioned. Keep this page open.");
    const words = { ending, paused: gettext("Paused: nothing is captured.") };
    this.#write(words[state] ?? "");
  }

  #write(text) {
    if (this.progress.textContent !== text) this.progress.textContent = text;
  }
}
