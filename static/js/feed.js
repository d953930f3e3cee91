/** From the socket to the screen: captions, names and notices, for viewers and the host alike. */
import { CaptionStore } from "./captions.js";
import { gettext } from "./i18n.js";
import { BLOCKED, ConnectionStatus, NoticeBanner } from "./notice.js";
import { ScrollLock } from "./scroll-lock.js";
import { SpeechPause } from "./speech-pause.js";
import { SpeakerDirectory } from "./speakers.js";
import { SummaryStore } from "./summaries.js";
import { TranscriptView } from "./transcript-view.js";

/** The server holds back when it hears nothing for long: confirm after so many messages, or this often. */
const SEEN_EVERY_MESSAGES = 50;
const SEEN_EVERY_MS = 5_000;
/** Readers who hear nothing cannot tell a silent room from a failure. */
const QUIET_AFTER_MS = 20_000;
const SUMMARY_DUE = gettext("The summary is being written and appears here by itself.");

/**
 * Events: "hello", "languages", "notice" and "error" (detail: the message); "state" (detail: the state); "caption"
 * (detail: the caption, at every change of it); "final" (detail: the caption, once, as it is spoken); "words" when there
 * is something new to read; "summary" (detail: the newest, and whether it is news and not a new wording); "summary-due"
 * (detail: what there is to say of the last summary of a meeting that is over; empty: it is not due).
 */
export class CaptionFeed extends EventTarget {
  /**
   * @param {import("./socket.js").ReconnectingSocket} socket
   * @param {Document|HTMLElement} page holds the data-… elements of templates/meetings/viewer.html
   * @param {{isHost?: boolean, newest?: number, makeLabel?: () => HTMLElement}} options isHost: who reads this is the
   *   host; the others as `TranscriptView` takes them
   */
  constructor(socket, page, { isHost = false, ...options } = {}) {
    super();
    this.socket = socket;
    this.store = new CaptionStore();
    this.speakers = new SpeakerDirectory();
    this.summaries = new SummaryStore();
    this.view = new TranscriptView(page.querySelector("[data-captions]"), this.store, this.speakers, options);
    this.scroll = new ScrollLock(page.querySelector("[data-transcript]"), page.querySelector("[data-to-live]"));
    this.status = new ConnectionStatus(page.querySelector("[data-connection]"), socket, isHost);
    this.banner = new NoticeBanner(page.querySelector("[data-notice]"), isHost);
    this.empty = page.querySelector("[data-empty]");
    this.unconfirmed = 0;
    /** What was said before this page came is shown, not announced. */
    this.announceAfter = Infinity;
    /** The number that the last summary will be above, while it is due. */
    this.summaryDueAfter = Infinity;
    socket.addEventListener("message", ({ detail }) => this.#received(detail));
    socket.addEventListener("blocked", () => this.banner.show(BLOCKED));
    socket.addEventListener("closed", ({ detail }) => this.#closed(detail));
    this.#showQuiet(page.querySelector("[data-quiet]"));
    setInterval(() => this.#confirm(), SEEN_EVERY_MS);
  }

  /** Whether words are shown while they may still change. */
  showPartials(isOn) {
    this.view.showPartials = isOn;
    this.view.drawPartial();
    this.scroll.follow();
  }

  /** Shows captions in another language: at once what is here, the rest as it comes. @param {string} language */
  readIn(language) {
    if (language === this.view.reading) return;
    this.view.readIn(language);
    // What the page has is in the language before: should the link break now, all is needed again.
    this.store.rewind(0);
    this.scroll.follow();
  }

  /** Takes away what is read: from now on only what is spoken later is shown. */
  clear() {
    this.store.forgetPartials();
    this.view.clear();
  }

  /** Leads to what was said, and marks it. @param {string[]} segments of the captions, in their order */
  showCaptions(segments) {
    const lines = this.view.cite(segments);
    if (lines.length > 0) this.scroll.show(lines[0]);
  }

  #received(message) {
    const handlers = {
      hello: () => this.#greeted(message),
      caption: () => this.#captioned(message),
      partial: () => this.#moved(message),
      speaker: () => this.#named(message),
      summary: () => this.#summedUp(message),
      notice: () => this.#noticed(message),
      languages: () => this.#tell("languages", message),
      resync: () => this.store.rewind(message.after),
      error: () => this.#tell("error", message),
    };
    handlers[message.type]?.();
  }

  #greeted(message) {
    this.store.forgetPartials();
    this.view.drawPartial();
    if (this.announceAfter === Infinity) this.announceAfter = message.last_seq;
    this.speakers.replaceAll(message.speakers ?? []);
    this.#setState(message.state);
    if (message.state === "ended") this.#end(message, message.last_seq);
    else this.banner.show({ state: message.state });
    this.#tell("hello", message);
  }

  #captioned(caption) {
    const change = this.store.applyCaption(caption);
    this.view.update(change, caption);
    const isNew = change === "appended";
    this.empty.hidden = this.store.ordered.length > 0;
    this.scroll.follow(isNew ? 1 : 0);
    // A caption that is still open grows by revisions.
    if (change !== "known" && this.store.ordered.at(-1) === caption) this.dispatchEvent(new CustomEvent("words"));
    if (isNew && caption.seq > this.announceAfter) this.#tell("final", caption);
    this.#tell("caption", caption);
    this.#count();
  }

  #moved(partial) {
    if (!this.store.applyPartial(partial)) return;
    this.view.drawPartial();
    if (this.view.showPartials) this.empty.hidden = true;
    this.scroll.follow();
    this.dispatchEvent(new CustomEvent("words"));
    this.#count();
  }

  #named(message) {
    this.store.lastSeq = Math.max(this.store.lastSeq, message.seq);
    this.speakers.apply(message);
    this.scroll.follow();
    this.#count();
  }

  #summedUp(message) {
    this.store.lastSeq = Math.max(this.store.lastSeq, message.seq);
    const isNew = this.summaries.apply(message);
    if (isNew && message.seq > this.summaryDueAfter) this.#end();
    const summary = this.summaries.newest;
    if (summary.id === message.id) {
      const isNews = isNew && message.seq > this.announceAfter;
      this.#tell("summary", { summary, isNews });
    }
    this.#count();
  }

  #noticed(notice) {
    this.#setState(notice.state);
    if (notice.state === "ended") this.#end(notice, this.store.lastSeq);
    else this.banner.show(notice);
    this.#tell("notice", notice);
  }

  /** @param {{summary_due?: boolean, summary_trouble?: string}} told @param {number} lastSeq the last summary's number is above it */
  #end({ summary_due: isDue = false, summary_trouble: trouble } = {}, lastSeq = Infinity) {
    const words = isDue ? (trouble ?? SUMMARY_DUE) : "";
    this.summaryDueAfter = isDue ? lastSeq : Infinity;
    this.banner.showEnd(words);
    this.#tell("summary-due", words);
  }

  /** After the end it is no trouble that nothing more comes. */
  #closed({ message, isEnd }) {
    if (isEnd) this.#setState("ended");
    if (this.status.state !== "ended") this.banner.show({ state: "closed", message });
  }

  /** Says under the last caption that nobody has spoken for a while, where captions would come. */
  #showQuiet(line) {
    const pause = new SpeechPause(this, QUIET_AFTER_MS);
    const show = () => (line.hidden = !(pause.isOn && this.socket.isOpen && this.status.state === "live"));
    pause.addEventListener("change", show);
    this.addEventListener("state", show);
    for (const end of ["waiting", "closed"]) this.socket.addEventListener(end, show);
  }

  #setState(state) {
    this.status.setMeetingState(state);
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #count() {
    this.unconfirmed += 1;
    if (this.unconfirmed >= SEEN_EVERY_MESSAGES) this.#confirm();
  }

  /** Said even when nothing is new: it tells the server that somebody is reading. */
  #confirm() {
    if (this.socket.send({ type: "seen", seq: this.store.lastSeq })) this.unconfirmed = 0;
  }
}
