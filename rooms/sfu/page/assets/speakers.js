// The loudspeaker: every slot has an audio element of its own, all on one output device.

/** Whether the output device can be chosen in this browser. */
export const canChoose = typeof HTMLMediaElement !== 'undefined' && 'setSinkId' in HTMLMediaElement.prototype;

/** Dispatches "blocked": the browser wants a click before it plays. */
export class Speakers extends EventTarget {
  /** @type {HTMLAudioElement[]} */
  #elements = [];
  #deviceId = '';

  /** @returns {HTMLAudioElement[]} */
  get elements() {
    return this.#elements;
  }

  /** @returns {string} */
  get deviceId() {
    return this.#deviceId;
  }

  /**
   * Plays these tracks instead of those before.
   * @param {MediaStreamTrack[]} tracks
   */
  play(tracks) {
    while (this.#elements.length < tracks.length) this.#elements.push(this.#add());
    this.#elements.forEach((audio, i) => {
      audio.srcObject = tracks[i] ? new MediaStream([tracks[i]]) : null;
    });
    this.start();
  }

  /** Plays what a browser had blocked; to be called from a click. */
  async start() {
    const playing = this.#elements.filter((a) => a.srcObject).map((a) => a.play());
    const results = await Promise.allSettled(playing);
    const blocked = results.some((r) => r.status === 'rejected' && r.reason.name === 'NotAllowedError');
    if (blocked) this.dispatchEvent(new CustomEvent('blocked'));
  }

  stop() {
    for (const audio of this.#elements) audio.srcObject = null;
  }

  /**
   * @param {string} deviceId '' is the system's own choice
   */
  async choose(deviceId) {
    if (!canChoose) return;
    try {
      await Promise.all(this.#elements.map((a) => a.setSinkId(deviceId)));
      this.#deviceId = deviceId;
    } catch {
      // Unplugged since an earlier visit: the system's own choice is what plays.
    }
  }

  /** Three soft notes on the chosen device, to hear that it is the right one. */
  chime() {
    return this.#notes([523.25, 659.25, 783.99], 0.16);
  }

  /** Two softer ones: somebody is at the door. */
  knock() {
    return this.#notes([392, 392], 0.09);
  }

  /**
   * @param {number[]} frequencies one after the other
   * @param {number} loud
   */
  async #notes(frequencies, loud) {
    const context = new AudioContext();
    if (this.#deviceId && 'setSinkId' in context) {
      await /** @type {any} */ (context).setSinkId(this.#deviceId).catch(() => {});
    }
    const gain = new GainNode(context, { gain: 0 });
    gain.connect(context.destination);
    frequencies.forEach((frequency, i) => {
      const at = context.currentTime + 0.05 + i * 0.16;
      const note = new OscillatorNode(context, { type: 'sine', frequency });
      note.connect(gain);
      note.start(at);
      note.stop(at + 0.16);
      gain.gain.setTargetAtTime(loud, at, 0.015);
      gain.gain.setTargetAtTime(0, at + 0.1, 0.03);
      if (i === frequencies.length - 1) note.addEventListener('ended', () => context.close());
    });
  }

  #add() {
    const audio = new Audio();
    audio.autoplay = true;
    if (this.#deviceId && canChoose) audio.setSinkId(this.#deviceId).catch(() => {});
    return audio;
  }
}
