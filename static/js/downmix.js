/**
 * Mixes channels to one without cancelling what channels of opposite phase hold, as a mixer with one leg turned over
 * sends it. Runs in the audio thread: everything is allocated in the constructor.
 */

/** Correlation with the loudest channel below which a channel is turned over, and above which it no longer is. */
const OPPOSITE = -0.5;
const ALIKE = 0.3;
/** Mean square below which sound says nothing about phases. */
const HEARD = 1e-10;
/** Seconds after which the phases are looked at, and in which a channel is turned over. */
const LOOK_S = 0.1;
const FADE_S = 0.016;
const MOST_CHANNELS = 8;

export class Downmix {
  /** @param {number} rate Hz */
  constructor(rate) {
    this.look = Math.round(LOOK_S * rate);
    this.step = 1 / (FADE_S * rate);
    /** 1 or −1 by channel, and the weight on its way there. */
    this.signs = new Float32Array(MOST_CHANNELS).fill(1);
    this.weights = new Float32Array(MOST_CHANNELS).fill(1);
    /** Sums of squares by channel, and of products of two. */
    this.products = new Float64Array(MOST_CHANNELS * MOST_CHANNELS);
    this.seen = 0;
    this.isFirst = true;
  }

  /** The mean of the channels at one place. @param {Float32Array[]} channels @param {number} at */
  mix(channels, at) {
    const count = Math.min(channels.length, MOST_CHANNELS);
    if (count === 1) return channels[0][at];
    let sum = 0;
    for (let c = 0; c < count; c += 1) {
      this.weights[c] += Math.max(-this.step, Math.min(this.step, this.signs[c] - this.weights[c]));
      sum += this.weights[c] * channels[c][at];
      for (let d = 0; d <= c; d += 1) this.products[c * MOST_CHANNELS + d] += channels[c][at] * channels[d][at];
    }
    this.seen += 1;
    // The first look comes at once, or the first word would be lost.
    if (this.seen >= (this.isFirst ? this.look / 10 : this.look)) this.#judge(count);
    return sum / count;
  }

  #judge(count) {
    let loudest = 0;
    for (let c = 1; c < count; c += 1) if (this.#energy(c) > this.#energy(loudest)) loudest = c;
    if (this.#energy(loudest) > HEARD * this.seen) {
      this.#turn(loudest, count);
      if (this.isFirst) this.weights.set(this.signs);
      this.isFirst = false;
    }
    this.products.fill(0);
    this.seen = 0;
  }

  /** Of the two ways that sound alike, the one that changes less is taken. */
  #turn(loudest, count) {
    let agreement = 0;
    const reference = this.signs[loudest];
    for (let c = 0; c < count; c += 1) {
      const product = this.products[Math.max(c, loudest) * MOST_CHANNELS + Math.min(c, loudest)];
      const correlation = product / Math.sqrt(Math.max(this.#energy(c) * this.#energy(loudest), 1e-300));
      const before = this.signs[c];
      let sign = before * reference;
      if (correlation < OPPOSITE) sign = -1;
      else if (correlation > ALIKE) sign = 1;
      agreement += sign * before * this.#energy(c);
      this.signs[c] = sign;
    }
    if (agreement < 0) for (let c = 0; c < count; c += 1) this.signs[c] = -this.signs[c];
  }

  #energy(channel) {
    return this.products[channel * (MOST_CHANNELS + 1)];
  }
}
