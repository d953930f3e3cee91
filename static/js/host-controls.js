/** The host's buttons and choices; what they do is `HostSession`'s. */
import { CheckControls, mark } from "./check-controls.js";
import { gettext } from "./i18n.js";
import { LevelMeter } from "./level.js";
import { canShareTab, microphones, obstacle, rememberedMicrophone, rememberMicrophone, SoundError, TAB } from "./microphone.js";
import { SoundCheck } from "./sound-check.js";

const START = gettext("Start captions");
const AGAIN = gettext("Start again");
const LABELS = { starting: gettext("Starting…"), paused: gettext("Resume"), interrupted: AGAIN, capturing: AGAIN };
const PAUSED = gettext("Paused: nothing is captured.");
/** States of a meeting that can neither be paused nor ended. */
const NOT_LIVE = ["waiting", "ended"];
/** Troubles in which no frame moves the meter. */
const STANDSTILLS = ["stalled", "suspended"];
/** What is chosen now is listened to at once. */
const LISTENS_AT_ONCE = ["capturing", "interrupted"];

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
    this.askEnd = page.querySelector("[data-ask-end]");
    this.meter = new LevelMeter(...["level", "level-bar", "level-text"].map((name) => page.querySelector(`[data-${name}]`)));
    const check = new SoundCheck(session.keeper.workletUrl);
    this.check = new CheckControls(page, check, this.meter, () => [this.device.value, this.#preset]);
    check.addEventListener("change", () => this.#listDevices());
    this.hasConsent = false;
    this.mayStart = true;
    /** Another page hosts the meeting. */
    this.isElsewhere = false;
    /** As the server tells it: a meeting is live without this page's microphone, too. */
    this.meetingState = "waiting";
    /** What is wrong with the microphone that is listened to. */
    this.troubles = new Set();
    /** What happened to the microphone by itself, in words. */
    this.note = { found: "", missing: "" };
    /** The host used these buttons: where one disappears, the keyboard's place goes to the next. */
    this.isUsed = false;
    this.#listen(page);
    this.#listDevices();
    this.#show();
    if (obstacle() !== null) this.#refuse(obstacle());
  }

  /** Without a server that takes the sound there is nothing to start. */
  allowStart(isAllowed) {
    this.mayStart = isAllowed;
    this.#show();
  }

  /** What can be done while another page hosts stands elsewhere. */
  standBack(isElsewhere) {
    this.isElsewhere = isElsewhere;
    this.#show();
  }

  /** Listens where another page did: who is heard was told there. */
  goOn() {
    this.hasConsent = true;
    this.#open();
  }

  /** @param {string} state of the meeting, as on the wire */
  follow(state) {
    this.meetingState = state;
    this.#show();
  }

  get #preset() {
    return this.presets.querySelector(":checked").value;
  }

  #listen(page) {
    const { session } = this;
    this.start.addEventListener("click", () => this.#use(() => this.#startOrResume()));
    this.pause.addEventListener("click", () => this.#use(() => session.pause()));
    this.end.addEventListener("click", () => this.askEnd.showModal());
    page.querySelector("[data-end-yes]").addEventListener("click", () => this.#use(() => this.#end()));
    page.querySelector("[data-end-no]").addEventListener("click", () => this.askEnd.close());
    for (const choice of [this.device, this.presets]) choice.addEventListener("change", () => this.#chose());
    page.querySelector("[data-consent-yes]").addEventListener("click", () => this.#use(() => this.#consented()));
    page.querySelector("[data-consent-no]").addEventListener("click", () => this.consent.close());
    session.addEventListener("state", () => this.#show());
    session.addEventListener("level", ({ detail }) => this.meter.show(detail));
    session.addEventListener("trouble", ({ detail }) => this.#mark(() => this.troubles.add(detail)));
    session.addEventListener("relief", ({ detail }) => this.#mark(() => this.troubles.delete(detail)));
    session.addEventListener("found", ({ detail }) => this.#found(detail));
    session.addEventListener("missing", ({ detail }) => this.#missed(detail));
    session.sender.addEventListener("change", () => this.#showProgress());
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#listDevices());
  }

  #use(act) {
    this.isUsed = true;
    this.note = { found: "", missing: "" };
    act();
  }

  #startOrResume() {
    const { session } = this;
    if (session.state === "paused" && session.keeper.isListening) session.resume();
    else if (this.hasConsent) this.#open();
    else this.consent.showModal();
  }

  #consented() {
    this.hasConsent = true;
    this.consent.close();
    this.#open();
  }

  #end() {
    this.askEnd.close();
    this.session.end();
  }

  async #open() {
    for (const reason of ["refused", "lost"]) this.alarm.clear(reason);
    await this.check.stop();
    mark(this.device, false);
    try {
      await this.session.start(this.device.value, this.#preset);
    } catch (error) {
      if (!(error instanceof SoundError)) throw error;
      mark(this.device, error.isOfDevice);
      this.#refuse(error.message);
    }
    // Only now does the browser tell the names of the devices.
    await this.#listDevices();
  }

  #refuse(sentence) {
    this.alarm.raise("refused", sentence);
  }

  #chose() {
    if (this.device.value !== TAB) rememberMicrophone(this.device.value);
    this.presets.disabled = this.device.value === TAB;
    this.check.chose();
    this.#offerCheck();
    if (LISTENS_AT_ONCE.includes(this.session.state)) this.#open();
  }

  #found(label) {
    this.alarm.clear("refused");
    this.note.found = label ? gettext("Now listening to {name}.", { name: label }) : "";
    this.#listDevices();
    this.#showProgress();
  }

  #missed(seconds) {
    this.note.missing = gettext("{seconds} s were not captured.", { seconds });
    this.#showProgress();
  }

  #mark(change) {
    const before = this.troubles.size;
    change();
    if (this.troubles.size !== before) this.#show();
  }

  async #listDevices() {
    const { keeper } = this.session;
    const found = await microphones();
    const chosen = keeper.isListening ? keeper.source : this.device.value || rememberedMicrophone();
    for (const option of [...this.device.options].slice(1, -1)) option.remove();
    this.tab.before(...found.map(({ deviceId, label }, i) => new Option(label || gettext("Microphone {number}", { number: i + 1 }), deviceId)));
    this.tab.hidden = !canShareTab();
    this.device.value = chosen;
    if (this.device.selectedIndex < 0) this.device.value = "";
  }

  #show() {
    const { state } = this.session;
    const isOver = state === "ending" || state === "ended";
    const isLive = this.mayStart && !isOver && (!NOT_LIVE.includes(this.meetingState) || state === "capturing");
    const isPaused = state === "paused" || (state === "idle" && this.meetingState === "paused");
    const hasTrouble = state === "capturing" && this.troubles.size > 0;
    this.controls.hidden = state === "ended" || this.isElsewhere;
    this.finished.hidden = state !== "ended";
    this.setup.hidden = isOver;
    this.start.hidden = isOver || (state === "capturing" && !hasTrouble);
    this.start.disabled = state === "starting" || !this.mayStart;
    this.start.textContent = isPaused ? LABELS.paused : (LABELS[state] ?? START);
    this.pause.hidden = !isLive || isPaused;
    this.end.hidden = !isLive;
    if (!isLive) this.askEnd.close();
    this.#warnUnheard(isLive && state === "idle" && !isPaused && !this.isElsewhere);
    this.#offerCheck();
    const isStill = !this.session.keeper.isListening || STANDSTILLS.some((reason) => this.troubles.has(reason));
    if (isOver || (isStill && !this.check.check.isOn)) this.meter.reset(gettext("Not listening."));
    this.#showProgress();
    this.#keepFocus(state);
  }

  /** After a reload people still speak, and their host takes the page for listening. */
  #warnUnheard(isUnheard) {
    if (isUnheard) this.alarm.raise("unheard");
    else this.alarm.clear("unheard");
  }

  /** Not of a tab: the browser would ask which one to share, and again at the start. */
  #offerCheck() {
    this.check.offer(this.session.state === "idle" && !this.start.hidden && obstacle() === null && this.device.value !== TAB);
  }

  /** A button that disappears under the keyboard would leave it nowhere. */
  #keepFocus(state) {
    if (!this.isUsed || state === "starting" || state === "ending") return;
    this.isUsed = false;
    const { activeElement } = document;
    if (activeElement !== document.body && activeElement?.getClientRects().length > 0) return;
    const next = [this.pause, this.start, this.finished.querySelector("h2")].find((one) => one.getClientRects().length > 0);
    next?.focus({ preventScroll: true });
  }

  #showProgress() {
    const { state, sender } = this.session;
    const left = sender.frames.seconds;
    const ending =
      left >= 1
        ? gettext("Ending: {seconds} s of sound still go to the server. Keep this page open.", { seconds: Math.ceil(left) })
        : gettext("Ending: the last words are being captioned. Keep this page open.");
    const words = {
      starting: gettext("The browser may ask whether this page may listen: answer it there."),
      capturing: this.troubles.size > 0 ? "" : `${this.note.found} ${this.note.missing}`.trim(),
      interrupted: gettext("Nothing is captured, and the meeting goes on: start again, pause it or end it."),
      ending,
      paused: this.session.keeper.isListening ? gettext("Paused. The microphone is on, but nothing is captured.") : PAUSED,
      idle: this.meetingState === "paused" ? PAUSED : "",
    };
    this.#write(words[state] ?? "");
  }

  #write(text) {
    if (this.progress.textContent !== text) this.progress.textContent = text;
  }
}
