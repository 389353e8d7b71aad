// The choice of microphone and loudspeaker, with the meter: once in the lobby, once in the room's dialog.

import { $, on, show } from './dom.js';
import { fill } from './devices.js';
import { remember } from './store.js';
import { canChoose } from './speakers.js';

/** @typedef {import('./microphone.js').Microphone} Microphone */
/** @typedef {import('./speakers.js').Speakers} Speakers */

/** Dispatches "trouble" with the error when the chosen microphone does not open, "chosen" when it does. */
export class SoundPanel extends EventTarget {
  #microphones;
  #speakers;
  #microphone;
  #output;

  /**
   * @param {HTMLElement} root
   * @param {Microphone} microphone
   * @param {Speakers} output
   */
  constructor(root, microphone, output) {
    super();
    this.#microphone = microphone;
    this.#output = output;
    this.#microphones = /** @type {HTMLSelectElement} */ ($('[data-microphones]', root));
    this.#speakers = /** @type {HTMLSelectElement} */ ($('[data-speakers]', root));
    this.#microphones.addEventListener('change', () => this.#chooseMicrophone());
    this.#speakers.addEventListener('change', () => this.#chooseSpeaker());
    $('[data-chime]', root).addEventListener('click', () => output.chime());
    on(microphone, 'change', () => this.refresh());
    document.addEventListener('language', () => this.refresh());
    navigator.mediaDevices?.addEventListener('devicechange', () => this.refresh());
  }

  /** Reads the devices anew; their names are known only once a microphone is open. */
  async refresh() {
    await fill(this.#microphones, 'audioinput', this.#microphone.deviceId);
    const field = this.#speakers.closest('.field');
    if (canChoose) await fill(this.#speakers, 'audiooutput', this.#output.deviceId);
    else if (field) show(field, false);
  }

  async #chooseMicrophone() {
    const id = this.#microphones.value;
    try {
      await this.#microphone.open(id);
      remember('microphone', id);
      this.dispatchEvent(new CustomEvent('chosen'));
    } catch (error) {
      this.dispatchEvent(new CustomEvent('trouble', { detail: error }));
      this.refresh();
    }
  }

  async #chooseSpeaker() {
    await this.#output.choose(this.#speakers.value);
    remember('speaker', this.#output.deviceId);
  }
}
