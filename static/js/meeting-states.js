/** Keeps the states in the list of meetings true while somebody looks at it: readers learn within 5 s that a host is away. */

const LOOK_MS = 1_500;
/** Nothing goes on here, but a meeting may be started elsewhere. */
const IDLE_LOOK_MS = 15_000;
const OVER = "ended";

export class MeetingStates {
  /** @param {HTMLElement} list holds the address in data-states, and states with [data-meeting] */
  constructor(list) {
    this.address = list.dataset.states;
    this.states = [...list.querySelectorAll("[data-meeting]")].filter(({ dataset }) => dataset.state !== OVER);
    document.addEventListener("visibilitychange", () => this.#look());
    this.#wait();
  }

  #wait() {
    clearTimeout(this.timer);
    this.states = this.states.filter(({ dataset }) => dataset.state !== OVER);
    const isRunning = this.states.some(({ dataset }) => dataset.state !== "waiting");
    if (this.states.length > 0) this.timer = setTimeout(() => this.#look(), isRunning ? LOOK_MS : IDLE_LOOK_MS);
  }

  async #look() {
    if (!document.hidden && this.states.length > 0) await this.#ask();
    this.#wait();
  }

  async #ask() {
    try {
      const query = new URLSearchParams(this.states.map(({ dataset }) => ["id", dataset.meeting]));
      const response = await fetch(`${this.address}?${query}`, { headers: { Accept: "application/json" }, redirect: "error" });
      if (response.ok) this.#show(await response.json());
    } catch (error) {
      // Without a connection the page keeps its last state.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  #show(states) {
    for (const element of this.states) {
      const { state, words } = states[element.dataset.meeting] ?? element.dataset;
      element.dataset.state = state;
      if (words && element.textContent !== words) element.textContent = words;
    }
  }
}
