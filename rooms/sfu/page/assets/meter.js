// How loud a track is, for the eye.

const FLOOR = -60; // dBFS that shows nothing
const CEILING = -12; // dBFS that fills the meter
const FALL = 0.045; // of the meter, per picture

/**
 * The level of samples, 0 (nothing) to 1 (loud speech).
 * @param {Float32Array} samples
 * @returns {number}
 */
export function loudness(samples) {
  let sum = 0;
  for (const s of samples) sum += s * s;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR) / (CEILING - FLOOR)));
}

/** Measures one track at a time, once a picture, and only while the page is seen. */
export class Meter {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {MediaStreamAudioSourceNode|null} */
  #source = null;
  /** @type {AnalyserNode|null} */
  #analyser = null;
  #samples = new Float32Array(1024);
  #level = 0;
  #frame = 0;
  #show;

  /** @param {(level: number) => void} show is called once a picture with 0 to 1 */
  constructor(show) {
    this.#show = show;
  }

  /**
   * @param {MediaStreamTrack|null} track null stops
   */
  watch(track) {
    this.#source?.disconnect();
    this.#source = null;
    cancelAnimationFrame(this.#frame);
    this.#level = 0;
    this.#show(0);
    if (!track) return;
    this.#context ??= new AudioContext({ latencyHint: 'playback' });
    if (!this.#analyser) {
      this.#analyser = this.#context.createAnalyser();
      this.#analyser.fftSize = this.#samples.length;
    }
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
    this.#frame = requestAnimationFrame(() => this.#look());
    this.wake();
  }

  /** To be called from a click: browsers keep sound asleep until there is one. */
  wake() {
    this.#context?.resume().catch(() => {}); // asleep until the next click
  }

  #look() {
    if (!this.#analyser) return;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    this.#level = Math.max(loudness(this.#samples), this.#level - FALL);
    this.#show(this.#level);
    this.#frame = requestAnimationFrame(() => this.#look());
  }
}
