/** The newest summary on a page: its items by kind, each a way to what was said. */
import { gettext } from "./i18n.js";
import { directionOf } from "./languages.js";
import { clock } from "./transcript-view.js";

/** In the order in which they are read. */
const HEADINGS = {
  decision: gettext("Decisions"),
  action: gettext("Actions"),
  question: gettext("Questions"),
  topic: gettext("Topics"),
};

export class SummaryView {
  /**
   * @param {HTMLElement} card holds the data-summary-… elements of templates/meetings/_summary.html
   * @param {import("./feed.js").CaptionFeed} feed
   */
  constructor(card, feed) {
    this.feed = feed;
    for (const name of ["items", "reach", "none", "status"]) this[name] = card.querySelector(`[data-summary-${name}]`);
    feed.speakers.addEventListener("change", () => this.#nameOwners());
    feed.addEventListener("summary", ({ detail }) => this.#show(detail));
  }

  #show({ summary, isNews }) {
    const reach = gettext("Covers the first {time}", { time: clock(summary.to_s) });
    const focused = this.#buttons().indexOf(document.activeElement);
    this.reach.textContent = reach;
    this.none.textContent = summary.items.length > 0 ? "" : gettext("There was nothing to sum up.");
    this.items.replaceChildren(...Object.keys(HEADINGS).flatMap((kind) => this.#section(kind, summary)));
    this.#nameOwners();
    this.#buttons()[focused]?.focus({ preventScroll: true });
    if (isNews) this.status.textContent = `${gettext("There is a new summary.")} ${reach}`;
  }

  #section(kind, { items, language }) {
    const rows = items.filter((item) => item.kind === kind).map((item) => this.#row(item, language));
    if (rows.length === 0) return [];
    const heading = document.createElement("h3");
    heading.id = `summary-${kind}`;
    heading.textContent = HEADINGS[kind];
    const list = document.createElement("ul");
    list.setAttribute("aria-labelledby", heading.id);
    list.append(...rows);
    return [heading, list];
  }

  #row({ text, owner, segments }, language) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "cited-item";
    button.title = gettext("Show where it was said");
    button.lang = language;
    button.dir = directionOf(language);
    button.textContent = text;
    button.addEventListener("click", () => this.feed.showCaptions(segments));
    const row = document.createElement("li");
    row.append(button);
    if (owner) row.append(" ", ownerLabel(owner));
    return row;
  }

  #nameOwners() {
    for (const label of this.items.querySelectorAll("[data-owner]")) {
      label.firstElementChild.textContent = this.feed.speakers.displayName(label.dataset.owner);
      label.dataset.color = this.feed.speakers.colorIndex(label.dataset.owner);
    }
  }

  #buttons() {
    return [...this.items.querySelectorAll("button")];
  }
}

/** Who is to do it. A name has a direction of its own. */
function ownerLabel(owner) {
  const label = document.createElement("b");
  label.className = "speaker";
  label.dataset.owner = owner;
  label.append(document.createElement("bdi"));
  return label;
}
