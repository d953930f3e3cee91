/**
 * Encrypts frames that wait in the browser's storage: AES-GCM (NIST SP 800-38D) by Web Crypto, each with a random IV.
 * Meeting and id are authenticated with the sound, so no frame opens in another's place.
 */

const IV_BYTES = 12;
/** Says what is sealed, and how; part of what is authenticated. */
const FORMAT = "parlance frame 1";

/** @typedef {{iv: Uint8Array, sealed: ArrayBuffer}} SealedFrame */

/** What waits in the storage was encrypted with another key than this page's, or is damaged. It is left as it is. */
export class WrongKeyError extends Error {
  name = "WrongKeyError";
}

export class FrameCipher {
  /** @param {CryptoKey} key @param {string} meeting */
  constructor(key, meeting) {
    this.key = key;
    this.meeting = meeting;
  }

  /** @param {string} secret 256 bits in base64url, which the page has from the server and the browser does not store */
  static async of(secret, meeting) {
    const bytes = Uint8Array.from(atob(secret.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    return new FrameCipher(key, meeting);
  }

  /** @param {number} id @param {ArrayBuffer} pcm @returns {Promise<SealedFrame>} */
  async seal(id, pcm) {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
    return { iv, sealed: await crypto.subtle.encrypt(this.#algorithm(id, iv), this.key, pcm) };
  }

  /** @param {number} id @param {SealedFrame} frame @returns {Promise<ArrayBuffer>} rejects with WrongKeyError */
  async open(id, { iv, sealed }) {
    try {
      return await crypto.subtle.decrypt(this.#algorithm(id, iv), this.key, sealed);
    } catch (error) {
      if (error.name !== "OperationError") throw error;
      throw new WrongKeyError(`frame ${id} of ${this.meeting} does not open with this page's key`, { cause: error });
    }
  }

  #algorithm(id, iv) {
    const additionalData = new TextEncoder().encode(JSON.stringify([FORMAT, this.meeting, id]));
    return { name: "AES-GCM", iv, additionalData };
  }
}
