/** Who speaks in this meeting: names and colours by id, as the server says and the host corrects. */
import { gettext } from "./i18n.js";

/** Instead of an id: somebody spoke, and it cannot be said who. */
export const UNSURE = "?";
/** The order of meetings/models/meetings.py; static/css/captions.css has a shade of each for every theme. */
const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999"];

/** @returns {string|null} an id, UNSURE, or null while nobody has been told yet */
export function speakerOf({ speaker = null, unsure = false }) {
  return unsure ? UNSURE : speaker;
}

/** Events: "change" after a name, a colour or the list changed. */
export class SpeakerDirectory extends EventTarget {
  #byId = new Map();

  /** Everybody who is not merged into somebody else, by number. */
  get listed() {
    const present = [...this.#byId.values()].filter(({ merged_into: into }) => !into);
    return present.sort((a, b) => numberOf(a.id) - numberOf(b.id));
  }

  /** @param {{id: string, name: string|null, color: string}[]} speakers the whole list, as a hello has it */
  replaceAll(speakers) {
    this.#byId = new Map(speakers.map((speaker) => [speaker.id, speaker]));
    this.#changed();
  }

  /** @param {object} message the wire's speaker message */
  apply(message) {
    this.#byId.set(message.id, message);
    this.#changed();
  }

  /** What people read. */
  displayName(id) {
    if (id === UNSURE) return gettext("Unknown speaker");
    const speaker = this.#find(id);
    return speaker.name || this.numberedName(speaker.id);
  }

  /** What people read of somebody who has no name. */
  numberedName(id) {
    return gettext("Speaker {number}", { number: numberOf(id) });
  }

  /** @returns {number} place in the palette from 1; 0 where it cannot be said who spoke */
  colorIndex(id) {
    if (id === UNSURE) return 0;
    const speaker = this.#find(id);
    const known = PALETTE.indexOf(speaker.color) + 1;
    return known || ((numberOf(speaker.id) - 1) % PALETTE.length) + 1;
  }

  /** Follows merges; captions that still name the old id come as revisions a moment later. */
  #find(id) {
    const visited = new Set();
    let speaker = this.#byId.get(id);
    while (speaker?.merged_into && !visited.has(speaker.id)) {
      visited.add(speaker.id);
      speaker = this.#byId.get(speaker.merged_into) ?? { id: speaker.merged_into, name: null };
    }
    return speaker ?? { id, name: null };
  }

  #changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

function numberOf(id) {
  return Number(id.replace(/^\D+/, "")) || 1;
}
