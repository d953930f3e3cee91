/**
 * Changes the sample rate of a stream by a rational factor with a polyphase windowed-sinc filter
 * (Kaiser window; J. O. Smith, "Digital Audio Resampling"; Kaiser's formulas for length and shape).
 * Runs in the audio thread: everything is allocated in the constructor.
 */

/** Attenuation of what would fold back, in dB. */
const STOP_BAND_DB = 70;
/** Part of the usable band left to the filter's slope: at 16 kHz it passes up to 6.8 kHz and stops at 8 kHz. */
const SLOPE = 0.15;

export class Resampler {
  /**
   * @param {number} inputRate Hz
   * @param {number} outputRate Hz
   */
  constructor(inputRate, outputRate) {
    const divisor = greatestCommonDivisor(inputRate, outputRate);
    this.up = outputRate / divisor;
    this.down = inputRate / divisor;
    this.phases = this.up === this.down ? null : polyphaseFilter(this.up, inputRate, outputRate);
    this.taps = this.phases ? this.phases[0].length : 0;
    /** The newest `taps` samples twice in a row, so that they can be read without wrapping. */
    this.history = new Float32Array(2 * this.taps);
    this.newest = 0;
    /** Where the next output lies after the newest input, in steps of 1/up of an input sample. */
    this.phase = 0;
  }

  /**
   * Takes one input sample; calls `emit(sample)` for each output sample that is due.
   * @param {number} sample
   * @param {(sample: number) => void} emit
   */
  push(sample, emit) {
    if (this.phases === null) {
      emit(sample);
      return;
    }
    this.newest = (this.newest + 1) % this.taps;
    this.history[this.newest] = sample;
    this.history[this.newest + this.taps] = sample;
    for (; this.phase < this.up; this.phase += this.down) emit(this.#filtered(this.phases[this.phase]));
    this.phase -= this.up;
  }

  #filtered(taps) {
    const last = this.newest + this.taps;
    let sum = 0;
    for (let i = 0; i < this.taps; i += 1) sum += taps[i] * this.history[last - i];
    return sum;
  }
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** The low-pass filter split into `up` filters, one for each place an output sample can have between two inputs. */
function polyphaseFilter(up, inputRate, outputRate) {
  const usable = Math.min(inputRate, outputRate) / 2;
  const slope = usable * SLOPE;
  const rate = inputRate * up;
  // Kaiser: N ≈ (A − 8) / (2.285 Δω) taps for a slope of Δω radians a sample.
  const taps = Math.ceil((STOP_BAND_DB - 8) / (2.285 * ((2 * Math.PI * slope) / rate)) / up);
  const prototype = lowPass(taps * up, (usable - slope / 2) / rate);
  return Array.from({ length: up }, (_, phase) => {
    const filter = Float32Array.from({ length: taps }, (_unused, i) => prototype[i * up + phase]);
    const gain = filter.reduce((sum, tap) => sum + tap, 0);
    return filter.map((tap) => tap / gain);
  });
}

/** A Kaiser-windowed sinc of `length` taps with its edge at `cutoff` cycles a sample. */
function lowPass(length, cutoff) {
  const beta = 0.1102 * (STOP_BAND_DB - 8.7);
  const middle = (length - 1) / 2;
  return Float64Array.from({ length }, (_, i) => {
    const x = 2 * Math.PI * cutoff * (i - middle);
    const sinc = x === 0 ? 1 : Math.sin(x) / x;
    return (sinc * bessel(beta * Math.sqrt(1 - ((i - middle) / middle) ** 2))) / bessel(beta);
  });
}

/** The modified Bessel function of order zero, by its power series. */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
