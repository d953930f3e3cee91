/** The summaries of one meeting as this page knows them. Each sums up all that was said before its end. */

export class SummaryStore {
  /** Present form by id. */
  #byId = new Map();

  /**
   * @param {object} summary the wire's summary message
   * @returns {boolean} whether it is new here, and not another wording of one that is known
   */
  apply(summary) {
    const before = this.#byId.get(summary.id);
    // The same number again is the same summary in another language, after the reader has changed it.
    if (before === undefined || before.seq <= summary.seq) this.#byId.set(summary.id, summary);
    return before === undefined;
  }

  /** @returns {object|null} the one that reaches furthest */
  get newest() {
    return [...this.#byId.values()].reduce((best, each) => (best === null || isLater(each, best) ? each : best), null);
  }
}

function isLater(one, other) {
  return one.to_s > other.to_s || (one.to_s === other.to_s && one.seq > other.seq);
}
